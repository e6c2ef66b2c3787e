"""OpenAI's HTTP API over the same service as the gRPC door (docs/http.md)."""
