package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/herald-network/herald/test/lab/kubelet"
	"github.com/herald-network/herald/test/lab/topology"
)

// How long what is waited for may take while a lab comes up, and how often is looked.
const (
	upTimeout = 2 * time.Minute
	upPeriod  = 100 * time.Millisecond
)

// adminConfig is how the lab itself reaches the API server.
func (s *Supervisor) adminConfig() (*rest.Config, error) {
	return clientcmd.BuildConfigFromFlags("", s.dir.Kubeconfig())
}

// startKubelets has every node register and run its pods until the context of the lab is over.
func (s *Supervisor) startKubelets(lifetime context.Context) error {
	config, err := s.adminConfig()
	if err != nil {
		return err
	}
	for _, node := range s.rack.With(topology.RoleNode) {
		k, err := kubelet.New(kubelet.Config{
			NodeName:  node.Name,
			Addresses: node.Addresses(),
			PodCIDRs:  node.PodCIDRs,
			REST:      config,
			Dir:       s.host(node.Name).Dir,
			Binaries:  s.lab.HeraldBinaries,
			Images:    s.dir.Images(),
			Self:      s.lab.Self,
			Log:       s.log.WithName("kubelet"),
		})
		if err != nil {
			return err
		}
		s.fleet[node.Name] = k
		if err := s.serveLogs(lifetime, node); err != nil {
			return err
		}
		go func() {
			if err := k.Run(lifetime); err != nil {
				s.log.Error(err, "The kubelet ended", "node", node.Name)
			}
		}()
	}
	return nil
}

// awaitNodes returns when all nodes are Ready.
func (s *Supervisor) awaitNodes(ctx context.Context) error {
	config, err := s.adminConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	var last error
	err = wait.PollUntilContextTimeout(ctx, upPeriod, upTimeout, true, func(ctx context.Context) (bool, error) {
		last = nodesReady(ctx, client, s.rack.With(topology.RoleNode))
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the nodes: %w: %w", err, last)
	}
	return nil
}

func nodesReady(ctx context.Context, client kubernetes.Interface, nodes []topology.Host) error {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	ready := map[string]bool{}
	for i := range list.Items {
		ready[list.Items[i].Name] = isReady(&list.Items[i])
	}
	var errs []error
	for _, node := range nodes {
		if !ready[node.Name] {
			errs = append(errs, fmt.Errorf("%s is not Ready", node.Name))
		}
	}
	return errors.Join(errs...)
}

func isReady(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}
