# The image that `make image` builds, by an engine that builds from Dockerfiles: /manager and /agent, and nothing else.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v0.1.0 --build-arg COMMIT="$(git rev-parse HEAD)" \
#     --build-arg DATE="$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd)" .
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
ARG TARGETOS TARGETARCH
ARG VERSION=v0.0.0-dev
ARG COMMIT=unknown
ARG DATE=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
# Whatever .dockerignore leaves: a list of directories here would be one more to keep.
COPY . .
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH GOFLAGS="-trimpath -buildvcs=false" \
    make build BIN=/out COMMANDS="./cmd/manager ./cmd/agent" VERSION=$VERSION COMMIT=$COMMIT DATE=$DATE

# No distribution: the programs are static, look up no user by name, and ask no server whose certificate authority they don't
# get from Kubernetes. So there is nothing here to keep up to date but themselves.
FROM scratch
ARG VERSION=v0.0.0-dev
ARG COMMIT=unknown
ARG DATE=unknown
LABEL org.opencontainers.image.title="Herald" \
      org.opencontainers.image.description="Advertises the addresses of Kubernetes Services to routers over BGP" \
      org.opencontainers.image.url="https://github.com/herald-network/herald" \
      org.opencontainers.image.source="https://github.com/herald-network/herald" \
      org.opencontainers.image.documentation="https://github.com/herald-network/herald/tree/$VERSION/docs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.created="$DATE"
COPY --from=build /out/manager /out/agent /
USER 65532:65532
ENTRYPOINT ["/manager"]
