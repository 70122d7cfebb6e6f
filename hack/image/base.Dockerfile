# The root file system that base.sh put together, as a base for the build stage.
FROM scratch
COPY . /
ENV PATH=/usr/local/go/bin:/bin GOTOOLCHAIN=local GOPATH=/go
