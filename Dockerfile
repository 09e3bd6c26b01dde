# Container images of dctnet; see docs/image.md for the targets. `make image` builds them.
# BASE is the base image's stage, or the name of another image.
ARG BASE=pinned

# Dependabot renews tag and digest, that of an index of all architectures.
FROM python:3.12-slim-bookworm@sha256:34386ef0cb081344d7ec1c103ba398e6e9f64e9ab3a1509accc92a4e24a07258 AS pinned

# Virtual environment of the dependencies, without pip: the base image's pip fills it.
FROM ${BASE} AS environment
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/tracing.txt requirements/
RUN python -m venv --without-pip /opt/dctnet \
    && pip --python /opt/dctnet install --no-cache-dir --no-deps --require-hashes --requirement requirements/tracing.txt

# Wheel of the package, with the native runtime for all CPU variants of this architecture.
FROM environment AS wheel
# Debian's mirrors drop old point versions, and the compiler is not part of the image.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ make \
    && rm -rf /var/lib/apt/lists/*
COPY service/native service/native
RUN make --directory=service/native --jobs="$(nproc)"
COPY LICENSE README.md pyproject.toml setup.py ./
COPY loadtest loadtest
COPY service/dctnet service/dctnet
RUN pip --python /opt/dctnet wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist .

# All dependencies: to fetch and convert models, and to serve the upstream format. Removes TensorFlow's
# headers, 431 MB, which only a compiler needs.
FROM environment AS complete
COPY requirements/reference.txt requirements/
RUN pip --python /opt/dctnet install --no-cache-dir --no-deps --require-hashes --requirement requirements/reference.txt
COPY --from=wheel /dist /dist
RUN pip --python /opt/dctnet install --no-cache-dir --no-deps --no-index /dist/*.whl \
    && rm -rf /opt/dctnet/lib/python3*/site-packages/tensorflow/include

# Dependencies for serving a converted model. Removes the build backend, ONNX Runtime's tools and C
# library, NumPy's compiler, OpenCV's cascades, tests, and type stubs.
FROM environment AS lean
# `on` adds the decoder of HEIC.
ARG HEIC=off
COPY requirements/heic.txt requirements/
COPY --from=wheel /dist /dist
RUN if [ "${HEIC}" = on ]; then \
        pip --python /opt/dctnet install --no-cache-dir --no-deps --require-hashes --requirement requirements/heic.txt; \
    fi \
    && pip --python /opt/dctnet install --no-cache-dir --no-deps --no-index /dist/*.whl \
    && pip --python /opt/dctnet uninstall --yes setuptools \
    && find /opt/dctnet/lib -depth \( \
        -name tests -o -name '*.pyi' -o -name '*.pxd' -o -name '*.a' \
        -o -path '*/cv2/data/*.xml' -o -path '*/numpy/f2py' -o -path '*/numpy/_core/include' \
        -o -path '*/onnxruntime/capi/libonnxruntime.so.*' -o -path '*/onnxruntime/tools' \
        -o -path '*/onnxruntime/transformers' -o -path '*/onnxruntime/quantization' \
        -o -path '*/onnxruntime/datasets' -o -path '*/onnxruntime/backend' \
        \) -exec rm -rf {} +

# Base of all targets, without the environment. No tini: Gunicorn's master reaps children, and the
# command handles SIGTERM from its first line, as process 1 must.
FROM ${BASE} AS confined
ENV PATH=/opt/dctnet/bin:$PATH \
    HOME=/tmp \
    DCTNET_BIND=:8080 \
    DCTNET_MANAGEMENT_BIND=:9090 \
    DCTNET_MODELS_DIR=/models
# The base image has no bytecode of the standard library. Under a read-only root each start would
# compile it again. A new Docker volume takes its owner from /models.
RUN python -m compileall -q -x '/(site-packages|ensurepip|idlelib|lib2to3|pydoc_data|tkinter|turtledemo)/' \
        /usr/local/lib/python3* \
    && install --directory --owner=10001 --group=10001 /models
WORKDIR /tmp
USER 10001:10001
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
# For plain Docker; Kubernetes uses its own probes. The image has no curl; proxies are bypassed.
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; [build_opener(ProxyHandler({})).open('http://127.0.0.1:9090/' + probe, timeout=2) for probe in ('livez', 'readyz')]"]
ENTRYPOINT ["dctnet"]
CMD ["serve"]
LABEL org.opencontainers.image.title="dctnet" \
      org.opencontainers.image.description="Self-hosted portrait cartoonization with DCT-Net" \
      org.opencontainers.image.licenses="Apache-2.0"

FROM confined AS tensorflow
COPY --from=complete /opt/dctnet /opt/dctnet
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

FROM confined AS serving
COPY --from=lean /opt/dctnet /opt/dctnet
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

# Placeholder for the folder of `--build-context model=FOLDER`.
FROM scratch AS model

# Contains a converted model. The build fails if a test inference with it fails.
FROM serving AS with-model
COPY --from=model / /model/
ENV DCTNET_STYLES=/model
RUN --mount=type=tmpfs,target=/tmp ["dctnet", "doctor"]

# The last stage is the default target.
FROM serving AS runtime
