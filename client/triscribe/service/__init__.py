"""What every door of the gateway does; knows neither gRPC nor HTTP."""
