# Two targets: `cpu` (the default) and `cuda`. docs/containers.md explains how to run them.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim AS base
RUN useradd --create-home --uid 1000 centerclip \
    && mkdir /videos /data \
    && chown centerclip:centerclip /data
ENV CENTERCLIP_INDEX=/data/index \
    HF_HOME=/data/models \
    XDG_CACHE_HOME=/data/cache \
    PYTHONUNBUFFERED=1
VOLUME ["/data"]
EXPOSE 8000
COPY --from=wheel /wheels /wheels
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["centerclip"]
CMD ["serve", "--host", "0.0.0.0", "--folder", "/videos"]

FROM base AS cuda
RUN pip install --no-cache-dir "$(ls /wheels/*.whl)[serve]"
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000:1000

FROM base AS cpu
# An address of PyTorch's builds without CUDA makes the image some gigabytes smaller.
ARG PIP_EXTRA_INDEX_URL=
RUN pip install --no-cache-dir "$(ls /wheels/*.whl)[openvino,serve]"
USER 1000:1000
