package bootmarker_test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/bootmarker"
)

func TestMarkerTellsRestartFromReboot(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		before func(g *WithT, directory string)
		bootID string
		want   bool
	}{
		"the first start of a boot, on a tmpfs": {bootID: "this", want: false},
		"a restart in the same boot":            {before: markedIn("this"), bootID: "this", want: true},
		"a reboot that kept the directory":      {before: markedIn("earlier"), bootID: "this", want: false},
		"a start after routes were withdrawn":   {before: clearedIn("this"), bootID: "this", want: false},
		"a marker that was only half written":   {before: written("th"), bootID: "this", want: false},
		"a kernel that names no boot":           {before: written(""), bootID: "", want: false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			directory := t.TempDir()
			if row.before != nil {
				row.before(g, directory)
			}
			g.Expect(open(g, directory, row.bootID).IsSet()).To(Equal(row.want))
		})
	}
}

func TestUnreadableMarkerProvesNothing(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	directory := t.TempDir()
	g.Expect(os.Mkdir(filepath.Join(directory, "boot-id"), 0o700)).To(Succeed())

	set, err := open(g, directory, "this").IsSet()
	g.Expect(err).To(MatchError(ContainSubstring("read the boot marker")))
	g.Expect(set).To(BeFalse())
}

func TestClearingTwiceIsNoError(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	marker := open(g, t.TempDir(), "this")
	g.Expect(marker.Set()).To(Succeed())
	g.Expect(marker.Clear()).To(Succeed())
	g.Expect(marker.Clear()).To(Succeed())
}

func TestNewNeedsTheBootID(t *testing.T) {
	t.Parallel()
	_, err := bootmarker.New(t.TempDir(), filepath.Join(t.TempDir(), "missing"))
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("read this boot's id")))
}

func open(g *WithT, directory, bootID string) bootmarker.Marker {
	file := filepath.Join(directory, "kernel-boot-id")
	g.Expect(os.WriteFile(file, []byte(bootID+"\n"), 0o600)).To(Succeed())
	marker, err := bootmarker.New(directory, file)
	g.Expect(err).NotTo(HaveOccurred())
	return marker
}

func markedIn(bootID string) func(*WithT, string) {
	return func(g *WithT, directory string) { g.Expect(open(g, directory, bootID).Set()).To(Succeed()) }
}

func clearedIn(bootID string) func(*WithT, string) {
	return func(g *WithT, directory string) {
		marker := open(g, directory, bootID)
		g.Expect(marker.Set()).To(Succeed())
		g.Expect(marker.Clear()).To(Succeed())
	}
}

func written(text string) func(*WithT, string) {
	return func(g *WithT, directory string) {
		g.Expect(os.WriteFile(filepath.Join(directory, "boot-id"), []byte(text), 0o600)).To(Succeed())
	}
}
