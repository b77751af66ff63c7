package statefile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/statefile"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/saved"
)

var here = saved.Identity{Node: "node-1", Boot: "this"}

func TestFileKeepsTheLastState(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	directory := t.TempDir()
	path := filepath.Join(directory, "state.json")
	file := statefile.New(directory, here)
	_, err := file.Load()
	g.Expect(err).To(MatchError(fs.ErrNotExist))

	// What an agent left that was killed while it wrote.
	g.Expect(os.WriteFile(path+".new", []byte("{"), 0o644)).To(Succeed())
	for _, asn := range []bgp.ASN{1, 2} {
		g.Expect(file.Save(saved.State{ASN: asn, Peers: []bgp.Peer{{Name: "tor", Password: bgp.PasswordOf("secret")}}})).To(Succeed())
	}
	info, err := os.Stat(path)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(info.Mode()).To(Equal(fs.FileMode(0o600)), "there are passwords in it")
	state, err := statefile.New(directory, here).Load()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(state.ASN).To(Equal(bgp.ASN(2)))
	g.Expect(state.Peers[0].Password.Reveal()).To(Equal("secret"))

	g.Expect(file.Remove()).To(Succeed())
	g.Expect(os.ReadDir(directory)).To(BeEmpty())
	g.Expect(file.Remove()).To(Succeed(), "it is gone already")
}

func TestFileThatCanNotBeUsedSaysWhy(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	directory := t.TempDir()
	g.Expect(statefile.New(directory, here).Save(saved.State{})).To(Succeed())
	_, err := statefile.New(directory, saved.Identity{Node: "node-1", Boot: "next"}).Load()
	g.Expect(err).To(MatchError(And(ContainSubstring(filepath.Join(directory, "state.json")), ContainSubstring("earlier boot"))))
	g.Expect(err).NotTo(MatchError(fs.ErrNotExist))
}

func TestFileKeepsWhatStandsWhereItCanNotBeWritten(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	directory := t.TempDir()
	file := statefile.New(directory, here)
	g.Expect(file.Save(saved.State{ASN: 1})).To(Succeed())
	g.Expect(os.MkdirAll(filepath.Join(directory, "state.json.new", "in the way"), 0o700)).To(Succeed())
	g.Expect(file.Save(saved.State{ASN: 2})).To(MatchError(ContainSubstring("write the saved state")))
	g.Expect(file.Load()).To(HaveField("ASN", bgp.ASN(1)))
}
