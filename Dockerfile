# Builds the images of dctnet; docs/image.md says what each target holds. `make image` calls it.
ARG BASE=python:3.12-slim-bookworm

# What every target runs on, in an environment of its own that holds no pip: the base image's fills it.
FROM ${BASE} AS environment
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/tracing.txt requirements/
RUN python -m venv --without-pip /opt/dctnet \
    && pip --python /opt/dctnet install --no-cache-dir --no-deps --require-hashes --requirement requirements/tracing.txt

# The package's wheel, with the native runtime for every CPU of this architecture.
FROM environment AS wheel
# A release's point versions vanish from Debian's mirrors, and nothing of the compiler is kept.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ make \
    && rm -rf /var/lib/apt/lists/*
COPY service/native service/native
RUN make --directory=service/native --jobs="$(nproc)"
COPY LICENSE README.md pyproject.toml setup.py ./
COPY service/dctnet service/dctnet
RUN pip --python /opt/dctnet wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist .

# Everything: it fetches, prepares, and serves what was not prepared. TensorFlow's headers, 431 MB, are
# for a compiler, and there is none.
FROM environment AS complete
COPY requirements/reference.txt requirements/
RUN pip --python /opt/dctnet install --no-cache-dir --no-deps --require-hashes --requirement requirements/reference.txt
COPY --from=wheel /dist /dist
RUN pip --python /opt/dctnet install --no-cache-dir --no-deps --no-index /dist/*.whl \
    && rm -rf /opt/dctnet/lib/python3*/site-packages/tensorflow/include

# What serving a prepared model needs. Left out are the build backend, ONNX Runtime's tools and its
# library for programs in C, numpy's compiler, OpenCV's cascades, tests, and stubs for type checkers.
FROM environment AS lean
COPY --from=wheel /dist /dist
RUN pip --python /opt/dctnet install --no-cache-dir --no-deps --no-index /dist/*.whl \
    && pip --python /opt/dctnet uninstall --yes setuptools \
    && find /opt/dctnet/lib -depth \( \
        -name tests -o -name '*.pyi' -o -name '*.pxd' -o -name '*.a' \
        -o -path '*/cv2/data/*.xml' -o -path '*/numpy/f2py' -o -path '*/numpy/_core/include' \
        -o -path '*/onnxruntime/capi/libonnxruntime.so.*' -o -path '*/onnxruntime/tools' \
        -o -path '*/onnxruntime/transformers' -o -path '*/onnxruntime/quantization' \
        -o -path '*/onnxruntime/datasets' -o -path '*/onnxruntime/backend' \
        \) -exec rm -rf {} +

# What all targets share but the environment. There is no tini: Gunicorn's master reaps children, and
# the command handles SIGTERM from its first line, which a process 1 must do itself.
FROM ${BASE} AS confined
ENV PATH=/opt/dctnet/bin:$PATH \
    HOME=/tmp \
    DCTNET_BIND=0.0.0.0:8080 \
    DCTNET_MANAGEMENT_BIND=0.0.0.0:9090 \
    DCTNET_MODELS_DIR=/models
# The base image has no bytecode of the standard library, and under a read-only root nobody can write
# it: each start would compile it again. A new volume of Docker takes its owner from /models.
RUN python -m compileall -q -x '/(site-packages|ensurepip|idlelib|lib2to3|pydoc_data|tkinter|turtledemo)/' \
        /usr/local/lib/python3* \
    && install --directory --owner=10001 --group=10001 /models
WORKDIR /tmp
USER 10001:10001
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
# For plain Docker; Kubernetes has probes of its own. The image has no curl, and no proxy is asked.
HEALTHCHECK --interval=10s --timeout=5s --start-period=300s --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; [build_opener(ProxyHandler({})).open('http://127.0.0.1:9090/' + probe, timeout=2) for probe in ('livez', 'readyz')]"]
ENTRYPOINT ["dctnet"]
CMD ["serve"]
LABEL org.opencontainers.image.title="dctnet" \
      org.opencontainers.image.description="Turns portrait photos into cartoons with DCT-Net" \
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

# Stands for the folder that `--build-context model=FOLDER` names.
FROM scratch AS model

# A prepared model baked in. The build ends with an error where the image cannot draw with it.
FROM serving AS with-model
COPY --from=model / /model/
ENV DCTNET_MODEL=/model
RUN --mount=type=tmpfs,target=/tmp ["dctnet", "doctor"]

# The last one is what a build makes that names no target.
FROM serving AS runtime
