package main

import (
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// webhookDefinitions returns the webhooks as OLM describes them: it makes the Service, the certificate and the configuration
// itself. What it has no word for are match conditions. Those in config/webhook spare the manager the requests that it has no
// objection to anyway, such as those that leave the spec as it is, so nothing is judged otherwise without them; but what is
// spared no longer is written while no manager runs, where a webhook's failurePolicy is Fail.
func (in *manifests) webhookDefinitions() ([]any, error) {
	deployment, err := in.manager()
	if err != nil {
		return nil, err
	}
	var definitions []any
	for _, configuration := range in.webhooks {
		for i := range configuration.Webhooks {
			webhook := &configuration.Webhooks[i]
			if webhook.NamespaceSelector != nil {
				return nil, fmt.Errorf("webhook %s: OLM sets its namespaceSelector, so it can't have one of its own", webhook.Name)
			}
			port, err := in.portOf(webhook, deployment.Spec.Template.Labels)
			if err != nil {
				return nil, fmt.Errorf("webhook %s: %w", webhook.Name, err)
			}
			definition, err := plain(map[string]any{
				"type":                    "ValidatingAdmissionWebhook",
				"generateName":            webhook.Name,
				"deploymentName":          deployment.Name,
				"containerPort":           port.Port,
				"targetPort":              port.TargetPort,
				"webhookPath":             webhook.ClientConfig.Service.Path,
				"rules":                   webhook.Rules,
				"failurePolicy":           webhook.FailurePolicy,
				"matchPolicy":             webhook.MatchPolicy,
				"sideEffects":             webhook.SideEffects,
				"timeoutSeconds":          webhook.TimeoutSeconds,
				"admissionReviewVersions": webhook.AdmissionReviewVersions,
			})
			if err != nil {
				return nil, err
			}
			definitions = append(definitions, definition)
		}
	}
	return definitions, nil
}

// portOf returns the port of the Service that a webhook is called by, which has to lead to the manager's pods.
func (in *manifests) portOf(webhook *admissionregistrationv1.ValidatingWebhook, pods labels.Set) (corev1.ServicePort, error) {
	reference := webhook.ClientConfig.Service
	if reference == nil {
		return corev1.ServicePort{}, errors.New("it is called by a URL, and OLM only knows webhooks that Deployments serve")
	}
	number := int32(443)
	if reference.Port != nil {
		number = *reference.Port
	}
	for _, service := range in.services {
		if service.Name != reference.Name || !labels.SelectorFromSet(service.Spec.Selector).Matches(pods) {
			continue
		}
		for _, port := range service.Spec.Ports {
			if port.Port == number {
				return port, nil
			}
		}
	}
	return corev1.ServicePort{}, fmt.Errorf("there is no Service %s with port %d that selects the manager's pods", reference.Name, number)
}
