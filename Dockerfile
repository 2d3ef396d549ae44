# The binary, certificates, and nothing to log in with. Run it with a read-only root:
#   docker run --read-only --cap-drop ALL -v airlock:/data -p 4873:4873 -e AIRLOCK_UPSTREAM__URL=https://registry.example/ airlock

FROM rust:1.95-slim-bookworm AS build
# jemalloc is built by make.
RUN apt-get update && apt-get install --yes --no-install-recommends make && mkdir /data
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin airlock

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/airlock /usr/local/bin/airlock
# An empty volume takes over the owner of the folder that it covers.
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
# Everything that is ever written is below /data; there is no npm in here, so the upstream is named by whoever runs it.
ENV AIRLOCK_SERVER__LISTEN=0.0.0.0:4873 AIRLOCK_STORAGE__DATA_DIR=/data
VOLUME /data
EXPOSE 4873
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/airlock", "health"]
ENTRYPOINT ["/usr/local/bin/airlock"]
CMD ["serve"]
