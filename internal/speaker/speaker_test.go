package speaker_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/herald-network/herald/internal/speaker"
)

// A port stays one while it is small and speaks Herald's own vocabulary: an engine's type in it would be known everywhere.
func TestThePortIsSmallAndKnowsNoEngine(t *testing.T) {
	port := reflect.TypeFor[speaker.Speaker]()
	if n := port.NumMethod(); n > 5 {
		t.Errorf("the port has %d methods, want at most 5", n)
	}
	for method := range port.Methods() {
		for in := range method.Type.Ins() {
			checkType(t, method.Name, in)
		}
		for out := range method.Type.Outs() {
			checkType(t, method.Name, out)
		}
	}
}

func checkType(t *testing.T, method string, typ reflect.Type) {
	t.Helper()
	for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Chan {
		typ = typ.Elem()
	}
	own := strings.HasPrefix(typ.PkgPath(), "github.com/herald-network/herald/internal/core/") ||
		strings.HasPrefix(typ.PkgPath(), "github.com/herald-network/herald/internal/speaker")
	library := !strings.Contains(typ.PkgPath(), ".")
	if !own && !library {
		t.Errorf("%s speaks of %s.%s", method, typ.PkgPath(), typ.Name())
	}
}
