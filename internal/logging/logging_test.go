package logging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/herald-network/herald/internal/logging"
)

func TestNewWritesWhatPeopleAndProgramsRead(t *testing.T) {
	var text, object bytes.Buffer
	for format, out := range map[logging.Format]*bytes.Buffer{logging.Text: &text, logging.JSON: &object} {
		log, err := logging.New(out, slog.LevelInfo, format)
		if err != nil {
			t.Fatal(err)
		}
		log.V(1).Info("Looking closely")
		log.Error(errors.New("connection refused"), "Losing a session", "BGPPeer", "tor")
	}
	if got := text.String(); !strings.Contains(got, `msg="Losing a session" err="connection refused" BGPPeer=tor`) || strings.Contains(got, "closely") {
		t.Errorf("text is %q", got)
	}
	var record map[string]any
	if err := json.Unmarshal(object.Bytes(), &record); err != nil {
		t.Fatalf("%q: %v", object.String(), err)
	}
	if record["msg"] != "Losing a session" || record["BGPPeer"] != "tor" || record["err"] != "connection refused" {
		t.Errorf("JSON is %v", record)
	}
}

func TestNewWritesMoreAtALowerLevel(t *testing.T) {
	var out bytes.Buffer
	log, err := logging.New(&out, slog.LevelDebug, logging.Text)
	if err != nil {
		t.Fatal(err)
	}
	log.V(1).Info("Looking closely")
	if !strings.Contains(out.String(), "Looking closely") {
		t.Errorf("level debug hides V(1): %q", out.String())
	}
}

func TestNewRefusesAnUnknownFormat(t *testing.T) {
	_, err := logging.New(&bytes.Buffer{}, slog.LevelInfo, "xml")
	if err == nil || err.Error() != `log format "xml": want text or json` {
		t.Errorf("error is %v", err)
	}
}
