package bgp

// GracefulShutdown returns the community GRACEFUL_SHUTDOWN, 65535:0 (RFC 8326): the path is about to go, so that any other
// is better.
func GracefulShutdown() Community { return Community{Global: 65535} }
