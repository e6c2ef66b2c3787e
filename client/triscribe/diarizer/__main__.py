"""`python -m triscribe.diarizer`: the server of proto/triscribe/v1/diarization.proto."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from triscribe.diarizer.settings import DEFAULT_MAX_HOURS
from triscribe.files import atomic_write

TOKEN_ENV = "TRISCRIBE_DIARIZER_TOKEN"  # noqa: S105 - the name of a variable

_NEEDED = ("torch", "pyannote.audio", "onnxruntime", "grpc", "grpc_health")
_FORBIDDEN = "ctranslate2"
_LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
DRAIN_S = 10.0
"""How long running jobs may go on after SIGTERM."""


def environment_fault() -> str | None:
    """Why this interpreter cannot run the diarizer, None when it can."""
    missing = [name for name in _NEEDED if not _importable(name)]
    if missing:
        return f"this environment lacks {', '.join(missing)}; install requirements/diarizer.txt into it"
    maps = Path("/proc/self/maps")
    if _importable(_FORBIDDEN) or (maps.exists() and _FORBIDDEN in maps.read_text()):
        return f"{_FORBIDDEN} is installed here; its CUDA libraries clash with PyTorch's, use a separate environment"
    return None


def _importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent package
        return False


def read_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; None takes that of this process."""
    parser = argparse.ArgumentParser(prog="python -m triscribe.diarizer", description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--socket", type=Path, help="listen on this Unix socket")
    where.add_argument("--listen", metavar="HOST:PORT", help="listen on TCP; port 0 takes a free one")
    parser.add_argument("--ready-file", type=Path, help="write the address here once it accepts calls")
    parser.add_argument("--parent", type=int, metavar="PID", help="end when this process, our parent, ends")
    parser.add_argument("--tls-cert", type=Path, help="certificate chain, PEM")
    parser.add_argument("--tls-key", type=Path, help="private key, PEM")
    parser.add_argument("--tls-client-ca", type=Path, help="callers must show a certificate of this authority")
    parser.add_argument("--allow-plaintext", action="store_true", help="no TLS outside loopback (inside a mesh)")
    parser.add_argument("--health-port", type=int, help="plaintext port for probes (grpc.health.v1 only)")
    parser.add_argument("--drain", type=float, default=DRAIN_S, help="seconds a running job gets after SIGTERM")
    parser.add_argument("--threads", type=int, default=0, help="cores to use; default all")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--pipeline", action="append", default=[], metavar="NAME=DIR", help="local copy of NAME")
    parser.add_argument(
        "--allow-unverified-checkpoints",
        action="store_true",
        help="open checkpoints that the manifest does not know; opening one can run code of whoever made it",
    )
    parser.add_argument("--max-hours", type=float, default=DEFAULT_MAX_HOURS, help="longest recording taken")
    arguments = parser.parse_args(words)
    if bool(arguments.tls_cert) != bool(arguments.tls_key) or (arguments.tls_client_ca and not arguments.tls_cert):
        parser.error("--tls-cert and --tls-key belong together; --tls-client-ca needs them")
    if arguments.listen and not arguments.listen.startswith(_LOOPBACK):
        if not arguments.tls_client_ca and not arguments.allow_plaintext:
            parser.error("outside loopback give --tls-cert, --tls-key and --tls-client-ca, or --allow-plaintext")
    elif not os.environ.get(TOKEN_ENV):
        parser.error(f"a local diarizer needs a token in {TOKEN_ENV}")
    return arguments


def main() -> int:
    """Checks the environment and serves until SIGTERM or the end of the parent."""
    arguments = read_arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if arguments.parent:
        from triscribe.diarizer.parent import die_with_parent  # noqa: PLC0415 - before anything slow

        die_with_parent(arguments.parent)
    if fault := environment_fault():
        print(f"error: {fault}", file=sys.stderr)  # noqa: T201 - read by the process that started us
        return 1
    # pyannote.audio would report each pipeline and the length of each recording to its makers.
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    # Threads that spin while they wait for each other take cores that the transcription beside us could use. Read by
    # the OpenMP runtime when PyTorch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    token = os.environ.pop(TOKEN_ENV, None)
    asyncio.run(_serve(arguments, token))
    return 0


def _health_address(arguments: argparse.Namespace) -> str | None:
    if arguments.health_port is None:
        return None
    host = arguments.listen.rpartition(":")[0] if arguments.listen else "127.0.0.1"
    return f"{host}:{arguments.health_port}"


async def _serve(arguments: argparse.Namespace, token: str | None) -> None:
    # After the check of the environment, which says what is missing better than an import error does.
    from triscribe.diarizer.jobs import Engine  # noqa: PLC0415
    from triscribe.diarizer.server import start_health, start_server  # noqa: PLC0415
    from triscribe.diarizer.settings import EngineSettings, ServerSettings, TlsFiles  # noqa: PLC0415

    def make_engine() -> Engine:
        from triscribe.diarizer.unneeded import left_out  # noqa: PLC0415

        with left_out():
            from triscribe.diarizer.pipelines import PipelineLibrary  # noqa: PLC0415 - imports PyTorch

        return PipelineLibrary(engine)

    engine = EngineSettings(
        threads=arguments.threads,
        device=arguments.device,
        local={name: Path(path) for name, _, path in (item.partition("=") for item in arguments.pipeline)},
        allow_unverified=arguments.allow_unverified_checkpoints,
        background=bool(arguments.parent),
    )
    tls = arguments.tls_cert and TlsFiles(arguments.tls_cert, arguments.tls_key, arguments.tls_client_ca)
    settings = ServerSettings(
        address=f"unix:{arguments.socket}" if arguments.socket else arguments.listen,
        token=token,
        tls=tls,
        max_duration_s=arguments.max_hours * 3600,
    )
    server, address = await start_server(settings, make_engine)
    probed = await start_health(health_address) if (health_address := _health_address(arguments)) else None
    if arguments.ready_file:
        atomic_write(arguments.ready_file, address.encode())
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows, where the parent ends us otherwise
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    logging.getLogger(__name__).info("serving on %s", address)
    await stop.wait()
    await server.stop(arguments.drain)
    if probed:
        await probed.stop(None)


if __name__ == "__main__":
    code = main()
    # Not sys.exit: a worker inside a long native call would be waited for.
    logging.shutdown()
    os._exit(code)
