package kubelet

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/herald-network/herald/test/lab/kubelet/podplan"
)

// Config describes the kubelet of one node.
type Config struct {
	// NodeName is the name of the Node and of its network namespace.
	NodeName string
	// Addresses are the node's InternalIPs, at most one of each family, the primary one first.
	Addresses []netip.Addr
	// PodCIDRs are put into the Node when it is made. Empty leaves them to the controller manager.
	PodCIDRs []netip.Prefix
	// Labels are the Node's labels besides those that every kubelet sets.
	Labels map[string]string
	// REST is how the API server is reached, with the rights of an administrator. Connections are made from within the
	// node's network namespace, so that a node that is cut off goes silent.
	REST *rest.Config
	// Dir keeps what belongs to the node: rootfs/ is the root of its file system for hostPath volumes, pods/ has a
	// directory for each pod, logs/ the logs.
	Dir string
	// Binaries is the directory with the programs of Herald's image.
	Binaries string
	// Images is a directory that has, by tag, directories with the programs of other versions of Herald's image. It need not
	// exist.
	Images string
	// Self is the program that image lab/echo runs with the argument "echo".
	Self string
	// Log receives what the kubelet can't tell anybody else.
	Log logr.Logger
}

// Periods that nothing but tests has a reason to wait for.
const (
	heartbeatPeriod = 10 * time.Second
	statusPeriod    = 5 * time.Minute // of a node's status that says nothing new
	leaseDuration   = 40 * time.Second
	refreshPeriod   = 5 * time.Second // of what Secrets, ConfigMaps and tokens hold
	retryPeriod     = time.Second     // of what failed because of the API server
	requestTimeout  = 5 * time.Second
)

func (c Config) check() error {
	switch {
	case c.NodeName == "":
		return errors.New("kubelet without a node name")
	case len(c.Addresses) == 0:
		return errors.New("kubelet of node " + c.NodeName + " without an address")
	case c.REST == nil:
		return errors.New("kubelet of node " + c.NodeName + " without an API server")
	case !filepath.IsAbs(c.Dir) || !filepath.IsAbs(c.Binaries) || !filepath.IsAbs(c.Self):
		return errors.New("kubelet of node " + c.NodeName + " with a path that is not absolute")
	}
	return nil
}

// dirsOf returns the directories of a pod.
func (c Config) dirsOf(uid string) podplan.Dirs {
	return podplan.Dirs{
		Pod:      filepath.Join(c.Dir, "pods", uid),
		NodeRoot: filepath.Join(c.Dir, "rootfs"),
		Binaries: c.Binaries,
		Loaded:   c.loaded(),
		Self:     c.Self,
	}
}

// loaded returns the directories in Images by tag.
func (c Config) loaded() map[string]string {
	directories := map[string]string{}
	entries, _ := os.ReadDir(c.Images) // There may be none, as long as nobody loads any.
	for _, entry := range entries {
		directories[entry.Name()] = filepath.Join(c.Images, entry.Name())
	}
	return directories
}
