# A container with ovbench and ONNX Runtime inside: nothing is fetched at run time.
#
#   docker build --build-arg VERSION="$(git describe --tags --always --dirty)" -t ovbench .
#   docker run --rm -v /data:/data:ro -v "$PWD/out:/out" ovbench run voc20 --data /data --model /data/clip --out /out
#   apptainer build ovbench.sif docker-daemon://ovbench:latest
#
# A build needs network, for Debian's packages, Go modules and ONNX Runtime. OVBENCH_IMAGE=buildah go test
# ./bench/cluster -run Image builds it, and runs a suite in it without network (or OVBENCH_IMAGE=docker): so far with
# buildah 1.28, on base images made by debootstrap and of Go's release. Neither docker's own builder nor the line of Apptainer has been tried.
FROM golang:1.26-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends npm && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# What results say of the program: the sources come without their history.
ARG VERSION
RUN make setup VERSION="$VERSION" && mkdir /image && cp bin/ovbench LICENSE /image/ && \
	cp "$(find "$HOME/.cache/ovbench" -name 'libonnxruntime.so.*' | head -n 1)" /image/

# ONNX Runtime needs glibc and libstdc++, so the image is not an empty one.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates libstdc++6 && rm -rf /var/lib/apt/lists/*
COPY --from=build /image/libonnxruntime.so.* /usr/local/lib/
COPY --from=build /image/ovbench /usr/local/bin/
COPY --from=build /image/LICENSE /usr/share/doc/ovbench/
# What is kept between runs (embeddings of prompts) goes where the results go, which all parts of a run share.
ENV OVBENCH_CACHE=/out/cache
ENTRYPOINT ["ovbench"]
