"""Generated from proto/triscribe/v1 by scripts/generate_proto."""
