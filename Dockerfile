# One image for the manager and the agent: /manager, /agent.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH
ARG VERSION=v0.0.0-dev
ARG COMMIT=unknown
ARG DATE=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY api/ api/
COPY cmd/ cmd/
COPY config/agent/ config/agent/
COPY config/policies/ config/policies/
COPY controllers/ controllers/
COPY internal/ internal/
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -o /out/ -ldflags "-s -w \
      -X github.com/herald-network/herald/internal/version.version=$VERSION \
      -X github.com/herald-network/herald/internal/version.commit=$COMMIT \
      -X github.com/herald-network/herald/internal/version.date=$DATE" \
      ./cmd/manager ./cmd/agent

FROM gcr.io/distroless/static:nonroot
COPY --from=build /out/manager /out/agent /
USER 65532:65532
