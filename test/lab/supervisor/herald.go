package supervisor

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/herald-network/herald/test/lab/part"
)

// Names that Herald's manifests give.
const (
	heraldNamespace   = "herald-system"
	managerDeployment = "herald-manager"
	agentDaemonSet    = "herald-agent"
)

// installHerald applies Herald's own manifests, as a user does.
func (s *Supervisor) installHerald(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	manifests := filepath.Join(s.lab.Checkout, "config", "default")
	apply := exec.CommandContext(ctx, s.cluster.Kubectl(), "apply", "--server-side", "-k", manifests)
	apply.Env = append(apply.Environ(), s.dir.KubectlEnv()...)
	if output, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("apply %s: %w\n%s", manifests, err, output)
	}
	s.reporter.progress("Herald's manifests are applied")
	return s.awaitHerald(ctx)
}

// awaitHerald returns when all of Herald's pods are available, on a generation that their controllers have seen.
func (s *Supervisor) awaitHerald(ctx context.Context) error {
	config, err := s.adminConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	var last error
	err = wait.PollUntilContextCancel(ctx, upPeriod, true, func(ctx context.Context) (bool, error) {
		last = heraldAvailable(ctx, client)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait for Herald: %w: %w%s", err, last, s.heraldLogs())
	}
	return nil
}

func heraldAvailable(ctx context.Context, client kubernetes.Interface) error {
	deployment, err := client.AppsV1().Deployments(heraldNamespace).Get(ctx, managerDeployment, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := deploymentAvailable(deployment); err != nil {
		return err
	}
	daemonSet, err := client.AppsV1().DaemonSets(heraldNamespace).Get(ctx, agentDaemonSet, metav1.GetOptions{})
	if err != nil {
		return err
	}
	return daemonSetAvailable(daemonSet)
}

func deploymentAvailable(d *appsv1.Deployment) error {
	wanted := int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	if d.Status.ObservedGeneration < d.Generation || d.Status.AvailableReplicas < wanted {
		return fmt.Errorf("%d of %d pods of Deployment %s are available", d.Status.AvailableReplicas, wanted, d.Name)
	}
	return nil
}

func daemonSetAvailable(d *appsv1.DaemonSet) error {
	wanted := d.Status.DesiredNumberScheduled
	if d.Status.ObservedGeneration < d.Generation || wanted == 0 || d.Status.NumberAvailable < wanted {
		return fmt.Errorf("%d of %d pods of DaemonSet %s are available", d.Status.NumberAvailable, wanted, d.Name)
	}
	return nil
}

// heraldLogs returns the ends of the logs of Herald's pods, to be appended to an error.
func (s *Supervisor) heraldLogs() string {
	var text strings.Builder
	for _, name := range s.heraldPods() {
		pods, _ := s.fleet.Find(name)
		paths, err := pods.Logs()
		if err != nil {
			fmt.Fprintf(&text, "\n%v", err)
		}
		for _, path := range paths {
			text.WriteString(part.Tail(path))
		}
	}
	return text.String()
}
