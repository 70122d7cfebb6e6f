# syntax=docker/dockerfile:1

# An image with Go, a shell and CA certificates. The Go release is pinned to its last digit, since only the same compiler gives the same
# bytes. hack/image/base.sh makes such an image from the Go of a machine that reaches no registry.
ARG BUILD_BASE=docker.io/library/golang:1.26.8

# Compiled on the builder's own platform for the one asked for: no emulation.
FROM --platform=$BUILDPLATFORM ${BUILD_BASE} AS build
ARG TARGETOS
ARG TARGETARCH
# Where modules come from, and where they and what was compiled are kept: hack/image/build.sh lends those of the machine.
ARG GOPROXY
ARG GOMODCACHE=/go/pkg/mod
ARG GOCACHE=/root/.cache/go-build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY api api
COPY cmd cmd
COPY internal internal
ARG VERSION=dev
ARG COMMIT=unknown
# timetzdata puts the time zones into the binary: scratch has none.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -buildvcs=false -tags timetzdata \
    -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" -o /manager ./cmd/manager

FROM scratch
ARG VERSION=dev
ARG COMMIT=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="Tokensync" \
      org.opencontainers.image.description="Keeps fresh OAuth 2.0 tokens in Kubernetes Secrets" \
      org.opencontainers.image.source="https://tokensync.dev/tokensync" \
      org.opencontainers.image.documentation="https://tokensync.dev/docs/" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY LICENSE THIRD_PARTY_NOTICES /licenses/
COPY --from=build /manager /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
