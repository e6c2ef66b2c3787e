"""The diarizer: a process of its own, the only one that imports PyTorch and pyannote.audio.

Started as `python -m triscribe.diarizer`; talks gRPC (proto/triscribe/v1/diarization.proto). Nothing outside this
package imports `engine`, `embedding`, `export` or `pipelines`, and nothing here imports the client's dependencies.
"""
