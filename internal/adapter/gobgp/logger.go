package gobgp

import (
	"slices"

	"github.com/go-logr/logr"
	enginelog "github.com/osrg/gobgp/v3/pkg/log"
)

// engineLogger passes what GoBGP logs on as wire detail, V(2). GoBGP's Info and Warn are events of a session that users
// learn in status, in better words; its Fatal and Panic must not end the agent, whose other sessions live on.
type engineLogger struct {
	log   logr.Logger
	freed chan<- struct{} // gets what nothing but a record for Debug tells
}

var _ enginelog.Logger = engineLogger{}

const wireDetail = 2

// neighborFreed is what GoBGP logs when nothing of a removed neighbor runs any more (pkg/server/server.go, Serve).
const neighborFreed = "freed fsm.h"

func (l engineLogger) Panic(msg string, fields enginelog.Fields) { l.fault(msg, fields) }
func (l engineLogger) Fatal(msg string, fields enginelog.Fields) { l.fault(msg, fields) }
func (l engineLogger) Error(msg string, fields enginelog.Fields) { l.detail(msg, fields) }
func (l engineLogger) Warn(msg string, fields enginelog.Fields)  { l.detail(msg, fields) }
func (l engineLogger) Info(msg string, fields enginelog.Fields)  { l.detail(msg, fields) }

// Debug passes nothing on: there is a record for every message on the wire.
func (l engineLogger) Debug(msg string, _ enginelog.Fields) {
	if msg == neighborFreed {
		select {
		case l.freed <- struct{}{}:
		default:
		}
	}
}

// SetLevel does nothing: what is logged is up to the sink.
func (l engineLogger) SetLevel(enginelog.LogLevel) {}

// GetLevel keeps the engine from preparing records for Debug, which go nowhere.
func (l engineLogger) GetLevel() enginelog.LogLevel { return enginelog.InfoLevel }

func (l engineLogger) detail(msg string, fields enginelog.Fields) {
	if log := l.log.V(wireDetail); log.Enabled() {
		log.Info("Engine event", append([]any{"event", msg}, pairs(fields)...)...)
	}
}

func (l engineLogger) fault(msg string, fields enginelog.Fields) {
	l.log.Error(nil, "Engine fault", append([]any{"event", msg}, pairs(fields)...)...)
}

func pairs(fields enginelog.Fields) []any {
	keys := make([]string, 0, len(fields))
	for key := range fields {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	out := make([]any, 0, 2*len(keys))
	for _, key := range keys {
		out = append(out, key, fields[key])
	}
	return out
}
