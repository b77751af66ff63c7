package controllers

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	manifest "github.com/herald-network/herald/config/agent"
	"github.com/herald-network/herald/internal/config"
)

// AgentDaemonSetName is the name of the agent's DaemonSet, in the manager's namespace.
const AgentDaemonSetName = "herald-agent"

// agentDaemonSet returns the DaemonSet that runs agents as configured, in the owner's namespace and owned by it.
func agentDaemonSet(owner *appsv1.Deployment, agent config.Agent) (*appsv1.DaemonSet, error) {
	d := &appsv1.DaemonSet{}
	if err := yaml.UnmarshalStrict(manifest.DaemonSet(), d); err != nil {
		return nil, fmt.Errorf("read the agent's manifest: %w", err)
	}
	d.Namespace = owner.Namespace
	d.OwnerReferences = ownedBy(owner, appsv1.SchemeGroupVersion.WithKind("Deployment"))

	pod := &d.Spec.Template.Spec
	pod.NodeSelector = agent.NodeSelector
	if agent.Tolerations != nil {
		pod.Tolerations = agent.Tolerations
	}
	container := &pod.Containers[0]
	container.Image = agent.Image
	container.Args = []string{"--log-level=" + agent.LogLevel}
	// What is left out is the agent's own default.
	if url := agent.ServiceProxy.HealthURL; url != "" {
		container.Args = append(container.Args, "--service-proxy-health-url="+url)
	}
	if wait := agent.ServiceProxy.WaitSeconds; wait != nil {
		container.Args = append(container.Args, fmt.Sprintf("--service-proxy-wait=%ds", *wait))
	}
	if agent.Resources != nil {
		container.Resources = *agent.Resources
	}
	return d, nil
}
