package checkout_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/herald-network/herald/test/lab/checkout"
)

func TestRootIsFoundFromBelow(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root, err := checkout.Root(t.TempDir(), wd)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Dir(filepath.Dir(filepath.Dir(wd))); root != want {
		t.Errorf("got %s, want %s", root, want)
	}
}

func TestModuleOfItsOwnBelowIsPassedOver(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root, err := checkout.Root(filepath.Join(wd, "../../controlplane"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "api")); err != nil {
		t.Error(err)
	}
}

func TestNoCheckoutIsAnErrorThatSaysWhereItLooked(t *testing.T) {
	dir := t.TempDir()
	if _, err := checkout.Root(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v", err)
	}
}
