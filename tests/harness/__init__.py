"""What tests and benchmarks share: real servers, real speech, hostile input."""
