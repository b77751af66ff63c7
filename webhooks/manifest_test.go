package webhooks

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"
)

func manifest(t *testing.T, file string) admissionregistrationv1.ValidatingWebhookConfiguration {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "config", "webhook", file))
	if err != nil {
		t.Fatal(err)
	}
	var configuration admissionregistrationv1.ValidatingWebhookConfiguration
	if err := yaml.UnmarshalStrict(text, &configuration); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return configuration
}

// The API server is told of exactly those webhooks that are served, for what they are for.
func TestTheManifestTellsOfWhatIsServed(t *testing.T) {
	served := map[string]bool{}
	got := map[string]string{}
	for _, webhook := range manifest(t, "manifests.yaml").Webhooks {
		service := webhook.ClientConfig.Service
		if service == nil || service.Namespace != "herald-system" || service.Name != "herald-webhook" {
			t.Errorf("%s: it is looked for at %v", webhook.Name, service)
		}
		served[*service.Path] = true
		if timeout := time.Duration(*webhook.TimeoutSeconds) * time.Second; timeout != 5*time.Second || timeout <= patience {
			t.Errorf("%s: the API server waits %v, a webhook %v", webhook.Name, timeout, patience)
		}
		for _, rule := range webhook.Rules {
			for _, operation := range rule.Operations {
				kind := strings.Join(slices.Concat(rule.APIGroups, rule.APIVersions, rule.Resources), " ")
				got[string(operation)+" "+kind] = webhook.Name + " " + string(*webhook.FailurePolicy) + " " + *service.Path
			}
		}
	}
	want := map[string]string{
		"CREATE  v1 services": "services.herald.network Ignore " + servicePath,
		"UPDATE  v1 services": "services.herald.network Ignore " + servicePath,
	}
	for resource, path := range map[string]string{"bgppeers": peerPath, "bgpconfigurations": configurationPath, "externalippools": poolPath} {
		kind := " herald.network v1alpha1 " + resource
		want["CREATE"+kind] = resource + ".herald.network Fail " + path
		want["UPDATE"+kind] = resource + ".herald.network Fail " + path
		want["DELETE"+kind] = "delete." + resource + ".herald.network Ignore " + path
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	paths := slices.Sorted(maps.Keys(hooks(newScheme(t), (&world{}).source(), newRegistered(t))))
	if diff := cmp.Diff(paths, slices.Sorted(maps.Keys(served))); diff != "" {
		t.Errorf("paths (-served +manifest):\n%s", diff)
	}
}

// A patch of a webhook that the manifest does not have would add one that is of no use.
func TestTheConditionsAreOfAWebhookInTheManifest(t *testing.T) {
	whole, patch := manifest(t, "manifests.yaml"), manifest(t, "conditions.yaml")
	if whole.Name != patch.Name {
		t.Errorf("the patch is of %s, the manifest is %s", patch.Name, whole.Name)
	}
	for _, webhook := range patch.Webhooks {
		if !slices.ContainsFunc(whole.Webhooks, func(w admissionregistrationv1.ValidatingWebhook) bool { return w.Name == webhook.Name }) {
			t.Errorf("the manifest has no webhook %s", webhook.Name)
		}
	}
}
