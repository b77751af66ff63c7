package lab_test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/test/lab"
	"github.com/herald-network/herald/test/lab/statedir"
)

func TestAVersionIsLoadedAsAWholeOrNotAtAll(t *testing.T) {
	g := NewWithT(t)
	dir, err := statedir.Open(filepath.Join(t.TempDir(), "lab"))
	g.Expect(err).NotTo(HaveOccurred())
	source := t.TempDir()
	g.Expect(lab.Load(dir, "v2", source)).To(MatchError(ContainSubstring("no lab is up")))

	lock, err := dir.Claim()
	g.Expect(err).NotTo(HaveOccurred())
	defer lock.Close()
	g.Expect(dir.Write(statedir.Lab{})).To(Succeed())
	for _, tag := range []string{"", "../v2", ".v2"} {
		g.Expect(lab.Load(dir, tag, source)).To(MatchError(ContainSubstring("want one such as v0.2.0")), tag)
	}

	loaded := func() []string {
		files, err := filepath.Glob(filepath.Join(dir.Images(), "*", "*"))
		g.Expect(err).NotTo(HaveOccurred())
		return files
	}
	write := func(name, content string) {
		g.Expect(os.WriteFile(filepath.Join(source, name), []byte(content), 0o600)).To(Succeed())
	}
	write("manager", "first")
	g.Expect(lab.Load(dir, "v2", source)).To(MatchError(ContainSubstring("agent")), "a program is missing")
	g.Expect(loaded()).To(BeEmpty())

	for _, content := range []string{"first", "second"} {
		write("manager", content)
		write("agent", content)
		g.Expect(lab.Load(dir, "v2", source)).To(Succeed())
		g.Expect(loaded()).To(ConsistOf(filepath.Join(dir.Images(), "v2", "agent"), filepath.Join(dir.Images(), "v2", "manager")))
		g.Expect(os.ReadFile(filepath.Join(dir.Images(), "v2", "agent"))).To(BeEquivalentTo(content))
	}
}
