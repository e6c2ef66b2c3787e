# The images of Triscribe; docs/containers.md says how to build and run them.
#
#   docker build --target triton      .   Triton with CUDA, on NVIDIA's image
#   docker build --target triton-cpu  .   Triton on a CPU
#   docker build --target gateway     .   the gRPC and HTTP APIs
#   docker build --target diarizer    .   who spoke when
#
# A package mirror or proxy goes in as --secret id=pip.conf,src=pip.conf and stays out of the images.

# Any Debian or Ubuntu with Python 3.11 to 3.13, its libpython and venv.
ARG BASE=python:3.12-slim-bookworm
# Why this release: docs/adr/0010-triton-release.md. requirements/server-gpu.txt belongs to its Python and CUDA.
ARG TRITON_IMAGE=nvcr.io/nvidia/tritonserver:26.07-py3

# --- Triscribe's own wheel -------------------------------------------------------------------------------------------
FROM ${BASE} AS wheel
WORKDIR /src
COPY requirements/build.txt requirements/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python3 -m venv /opt/build && \
    /opt/build/bin/pip install --no-cache-dir --require-hashes --no-deps --requirement requirements/build.txt
COPY pyproject.toml README.md ./
COPY client client
COPY model_repository model_repository
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /dist .

# --- What it depends on: one environment an image, made only from the locks --------------------------------------------
FROM ${BASE} AS server-packages
COPY requirements/server.txt /tmp/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python3 -m venv /opt/triscribe && \
    /opt/triscribe/bin/pip install --no-cache-dir --require-hashes --no-deps --requirement /tmp/server.txt

FROM ${BASE} AS gateway-packages
COPY requirements/gateway.txt /tmp/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python3 -m venv /opt/triscribe && \
    /opt/triscribe/bin/pip install --no-cache-dir --require-hashes --no-deps --requirement /tmp/gateway.txt

FROM ${BASE} AS diarizer-packages
COPY requirements/diarizer.txt /tmp/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python3 -m venv /opt/triscribe && \
    /opt/triscribe/bin/pip install --no-cache-dir --require-hashes --no-deps --requirement /tmp/diarizer.txt

FROM ${TRITON_IMAGE} AS triton-packages
# The version of python3-venv has to be that of the image's Python, which the image's tag pins.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends python3-venv && \
    rm -rf /var/lib/apt/lists/*
COPY requirements/server-gpu.txt /tmp/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python3 -c 'import sys; assert sys.version_info[:2] == (3, 12), "server-gpu.txt is a lock for Python 3.12"' && \
    python3 -m venv /opt/triscribe && \
    /opt/triscribe/bin/pip install --no-cache-dir --require-hashes --no-deps --requirement /tmp/server-gpu.txt

# --- Weights, checked by hash. MODELS names checkpoints to bake in; without, they come from the volume -----------------
FROM server-packages AS weights
ARG MODELS=""
ENV TRISCRIBE_CACHE=/opt/models
COPY --from=wheel /dist /opt/dist
RUN /opt/triscribe/bin/pip install --no-cache-dir --no-deps --no-index /opt/dist/*.whl
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    /opt/triscribe/bin/python3 -c 'from triscribe.serving.assemble import needed_models; print(*needed_models())' \
      >/tmp/needed && \
    printf '%s\n' "${MODELS}" >>/tmp/needed && \
    xargs /opt/triscribe/bin/triscribe models pull </tmp/needed && \
    rm -rf /opt/models/locks /opt/models/staging && chmod -R a+rX /opt/models

FROM server-packages AS embedded-triton
ENV TRISCRIBE_CACHE=/opt/models
COPY --from=wheel /dist /opt/dist
RUN /opt/triscribe/bin/pip install --no-cache-dir --no-deps --no-index /opt/dist/*.whl
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    /opt/triscribe/bin/triscribe models pull tritonserver-24.10 && \
    rm -rf /opt/models/locks /opt/models/staging && chmod -R a+rX /opt/models

FROM diarizer-packages AS diarizer-weights
ENV TRISCRIBE_CACHE=/opt/models
COPY --from=wheel /dist /opt/dist
RUN /opt/triscribe/bin/pip install --no-cache-dir --no-deps --no-index /opt/dist/*.whl
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    /opt/triscribe/bin/python3 -m triscribe.diarizer.weights && \
    rm -rf /opt/models/locks /opt/models/staging && chmod -R a+rX /opt/models

# --- The images: the rarely changing first, our own code last ----------------------------------------------------------
FROM ${TRITON_IMAGE} AS triton
RUN groupadd --gid 10001 triscribe && \
    useradd --uid 10001 --gid 10001 --no-log-init --home-dir /tmp --shell /usr/sbin/nologin triscribe && \
    install --directory --owner=10001 --group=10001 /var/lib/triscribe
COPY --from=triton-packages /opt/triscribe /opt/triscribe
COPY --from=weights /opt/models /opt/models
COPY --from=wheel /dist /opt/dist
RUN /opt/triscribe/bin/pip install --no-cache-dir --no-deps --no-index /opt/dist/*.whl
# CTranslate2 opens libcublas.so.12, which NVIDIA's CUDA 13 image lacks; it comes from the lock.
ENV PATH=/opt/triscribe/bin:${PATH} \
    LD_LIBRARY_PATH=/opt/triscribe/lib/python3.12/site-packages/nvidia/cublas/lib:${LD_LIBRARY_PATH} \
    HOME=/tmp \
    TRISCRIBE_CACHE=/var/lib/triscribe \
    TRISCRIBE_BUNDLED=/opt/models \
    TRISCRIBE_PREFLIGHT=1
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Triscribe Triton (CUDA)" \
      org.opencontainers.image.description="Whisper and forced alignment behind Triton, on NVIDIA GPUs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
EXPOSE 8000 8001 8002 8003
USER 10001:10001
HEALTHCHECK --interval=15s --timeout=10s --start-period=300s --retries=4 \
    CMD ["python3", "-m", "triscribe.probe", "http://127.0.0.1:8003/readyz"]
ENTRYPOINT ["triscribe", "serve", "--host", "0.0.0.0"]

FROM ${BASE} AS triton-cpu
RUN groupadd --gid 10001 triscribe && \
    useradd --uid 10001 --gid 10001 --no-log-init --home-dir /tmp --shell /usr/sbin/nologin triscribe && \
    install --directory --owner=10001 --group=10001 /var/lib/triscribe
COPY --from=server-packages /opt/triscribe /opt/triscribe
COPY --from=embedded-triton /opt/models /opt/models
COPY --from=weights /opt/models /opt/models
COPY --from=wheel /dist /opt/dist
RUN /opt/triscribe/bin/pip install --no-cache-dir --no-deps --no-index /opt/dist/*.whl
ENV PATH=/opt/triscribe/bin:${PATH} \
    HOME=/tmp \
    TRISCRIBE_CACHE=/var/lib/triscribe \
    TRISCRIBE_BUNDLED=/opt/models \
    TRISCRIBE_PREFLIGHT=1
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Triscribe Triton (CPU)" \
      org.opencontainers.image.description="Whisper and forced alignment behind Triton, on a CPU" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
EXPOSE 8000 8001 8002 8003
USER 10001:10001
HEALTHCHECK --interval=15s --timeout=10s --start-period=300s --retries=4 \
    CMD ["python3", "-m", "triscribe.probe", "http://127.0.0.1:8003/readyz"]
ENTRYPOINT ["triscribe", "serve", "--host", "0.0.0.0"]

FROM ${BASE} AS gateway
RUN groupadd --gid 10001 triscribe && \
    useradd --uid 10001 --gid 10001 --no-log-init --home-dir /tmp --shell /usr/sbin/nologin triscribe
COPY --from=gateway-packages /opt/triscribe /opt/triscribe
COPY --from=wheel /dist /opt/dist
RUN /opt/triscribe/bin/pip install --no-cache-dir --no-deps --no-index /opt/dist/*.whl
ENV PATH=/opt/triscribe/bin:${PATH} \
    HOME=/tmp \
    TRISCRIBE_GATEWAY_HOST=0.0.0.0 \
    TRISCRIBE_GATEWAY_HTTP_HOST=0.0.0.0 \
    TRISCRIBE_GATEWAY_METRICS_HOST=0.0.0.0
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Triscribe gateway" \
      org.opencontainers.image.description="The gRPC and HTTP APIs of Triscribe" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
EXPOSE 8443 8080 9464
USER 10001:10001
HEALTHCHECK --interval=15s --timeout=10s --start-period=30s --retries=4 \
    CMD ["python3", "-m", "triscribe.probe", "grpc://127.0.0.1:8443"]
ENTRYPOINT ["triscribe", "gateway"]

FROM ${BASE} AS diarizer
RUN groupadd --gid 10001 triscribe && \
    useradd --uid 10001 --gid 10001 --no-log-init --home-dir /tmp --shell /usr/sbin/nologin triscribe && \
    install --directory --owner=10001 --group=10001 /var/lib/triscribe
COPY --from=diarizer-packages /opt/triscribe /opt/triscribe
COPY --from=diarizer-weights /opt/models /opt/models
COPY --from=wheel /dist /opt/dist
RUN /opt/triscribe/bin/pip install --no-cache-dir --no-deps --no-index /opt/dist/*.whl
ENV PATH=/opt/triscribe/bin:${PATH} \
    HOME=/tmp \
    TRISCRIBE_CACHE=/var/lib/triscribe \
    TRISCRIBE_BUNDLED=/opt/models
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Triscribe diarizer" \
      org.opencontainers.image.description="Who spoke when: pyannote over gRPC" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
EXPOSE 50061
USER 10001:10001
HEALTHCHECK --interval=15s --timeout=10s --start-period=120s --retries=4 \
    CMD ["python3", "-m", "triscribe.probe", "grpc://127.0.0.1:50061"]
ENTRYPOINT ["python3", "-m", "triscribe.diarizer"]
CMD ["--listen", "0.0.0.0:50061"]
