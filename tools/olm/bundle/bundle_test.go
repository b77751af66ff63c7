package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

const root = "../../.."

// rendering returns what installs Herald without OLM, as hack/bundle.sh has it.
func rendering(t *testing.T) string {
	t.Helper()
	config, err := filepath.Abs(filepath.Join(root, "config", "default"))
	if err != nil {
		t.Fatal(err)
	}
	kustomize := exec.CommandContext(t.Context(), "go", "-C", filepath.Join(root, "tools"), "tool", "kustomize", "build", config)
	rendered, err := kustomize.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(rendered)
}

// made returns the files of a bundle.
func made(t *testing.T, o options) map[string][]byte {
	t.Helper()
	o.root = root
	files, err := bundle(o, strings.NewReader(rendering(t)))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func parse[T any](t *testing.T, text []byte) T {
	t.Helper()
	var object T
	if err := yaml.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func serviceVersion(t *testing.T, files map[string][]byte) v1alpha1.ClusterServiceVersion {
	t.Helper()
	text := files["bundle/manifests/herald.clusterserviceversion.yaml"]
	var csv v1alpha1.ClusterServiceVersion
	if err := yaml.UnmarshalStrict(text, &csv); err != nil {
		t.Fatalf("OLM would not read every field: %v", err)
	}
	return csv
}

// grants are rules by the service account that has them.
type grants map[string][]string

func (g grants) add(t *testing.T, account string, rules []rbacv1.PolicyRule) {
	t.Helper()
	for _, rule := range rules {
		text, err := json.Marshal(rule)
		if err != nil {
			t.Fatal(err)
		}
		g[account] = append(g[account], string(text))
	}
}

func (g grants) sorted() grants {
	for account := range g {
		slices.Sort(g[account])
	}
	return g
}

func same(t *testing.T, what string, want, got grants) {
	t.Helper()
	want.sorted()
	got.sorted()
	for _, account := range slices.Sorted(maps.Keys(want)) {
		if !slices.Equal(want[account], got[account]) {
			t.Errorf("%s may, %s, with the manifests\n%s\nand with the bundle\n%s", account, what,
				strings.Join(want[account], "\n"), strings.Join(got[account], "\n"))
		}
	}
	if len(want) != len(got) {
		t.Errorf("%s: %d accounts with the manifests, %d with the bundle", what, len(want), len(got))
	}
}

// rights returns what the objects grant in the whole cluster, in herald-system, and elsewhere.
func rights(t *testing.T, text string) (everywhere, here, elsewhere grants) {
	t.Helper()
	objects, err := decode(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	in := &manifests{}
	for _, object := range objects {
		if err := in.add(object); err != nil {
			t.Fatal(err)
		}
	}
	everywhere, here, elsewhere = grants{}, grants{}, grants{}
	for _, binding := range in.clusterRoleBindings {
		everywhere.add(t, binding.Subjects[0].Name, find(in.clusterRoles, binding.RoleRef.Name).Rules)
	}
	for _, binding := range in.roleBindings {
		to := here
		if binding.Namespace != "" && binding.Namespace != "herald-system" {
			to = elsewhere
		}
		to.add(t, binding.Subjects[0].Name, find(in.roles, binding.RoleRef.Name).Rules)
	}
	return everywhere, here, elsewhere
}

// No right is lost, none is added, and what is for herald-system alone does not become one for the cluster.
func TestTheRightsAreThoseOfTheManifests(t *testing.T) {
	files := made(t, options{})
	everywhere, here, elsewhere := rights(t, rendering(t))
	// A bundle knows one namespace: the events in default are the only exception.
	if len(elsewhere) != 1 || len(elsewhere["herald-agent"]) != 1 || !strings.Contains(elsewhere["herald-agent"][0], "events") {
		t.Fatalf("rights outside of herald-system, which OLM can only grant in every namespace: %v", elsewhere)
	}
	everywhere["herald-agent"] = append(everywhere["herald-agent"], elsewhere["herald-agent"]...)

	got := grants{}
	strategy := serviceVersion(t, files).Spec.InstallStrategy.StrategySpec
	for _, permission := range strategy.ClusterPermissions {
		got.add(t, permission.ServiceAccountName, permission.Rules)
	}
	same(t, "in the whole cluster", everywhere, got)
	if len(strategy.Permissions) > 0 {
		t.Error("the ClusterServiceVersion has permissions, which OLM grants in every namespace to an operator for all namespaces")
	}
	var carried []string
	for name, text := range files {
		if strings.HasSuffix(name, "_role.yaml") || strings.HasSuffix(name, "_rolebinding.yaml") {
			carried = append(carried, string(text))
			role := parse[rbacv1.Role](t, text)
			if len(role.OwnerReferences) != 1 || role.OwnerReferences[0].Name != "herald.v0.1.0" || role.Namespace != "" {
				t.Errorf("%s stays when Herald goes, or is bound to a namespace: %v %q", name, role.OwnerReferences, role.Namespace)
			}
		}
	}
	_, got, _ = rights(t, strings.Join(carried, "\n---\n"))
	same(t, "in herald-system", here, got)
}

// The policies go with the ClusterRole whose name the manager knows, and that one with the ClusterServiceVersion.
func TestTheOwnerOfThePoliciesIsThere(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "controllers/policy_controller.go"))
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`ManagerClusterRole = "(.+)"`).FindSubmatch(source)[1]
	role := parse[rbacv1.ClusterRole](t, made(t, options{})["bundle/manifests/"+string(name)+"_clusterrole.yaml"])
	want := map[string]string{"olm.owner": "herald.v0.1.0", "olm.owner.kind": "ClusterServiceVersion", "olm.owner.namespace": "herald-system"}
	for label, value := range want {
		if role.Labels[label] != value {
			t.Errorf("OLM removes ClusterRoles with %s=%s, and this one has %q", label, value, role.Labels[label])
		}
	}
	if len(role.Rules) > 0 {
		t.Errorf("it grants something: %v", role.Rules)
	}
}

func TestTheWebhooksAreThoseOfTheManifests(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "config/webhook/manifests.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type facts struct {
		path, policy, rules string
		timeout, port       int32
	}
	fact := func(path string, policy admissionregistrationv1.FailurePolicyType, rules any, timeout, port int32) facts {
		text, err := json.Marshal(rules)
		if err != nil {
			t.Fatal(err)
		}
		return facts{path, string(policy), string(text), timeout, port}
	}
	want, got := map[string]facts{}, map[string]facts{}
	for _, w := range parse[admissionregistrationv1.ValidatingWebhookConfiguration](t, text).Webhooks {
		want[w.Name] = fact(*w.ClientConfig.Service.Path, *w.FailurePolicy, w.Rules, *w.TimeoutSeconds, 9443)
	}
	for _, d := range serviceVersion(t, made(t, options{})).Spec.WebhookDefinitions {
		got[d.GenerateName] = fact(*d.WebhookPath, *d.FailurePolicy, d.Rules, *d.TimeoutSeconds, d.TargetPort.IntVal)
	}
	if !maps.Equal(want, got) {
		t.Errorf("with the manifests\n%v\nand with the bundle\n%v", want, got)
	}
}

func TestAVersion(t *testing.T) {
	for name, test := range map[string]struct {
		options            options
		csv, image, before string
	}{
		"that of the manifests":                     {options{}, "herald.v0.1.0", "ghcr.io/herald-network/herald:v0.1.0", ""},
		"the next one":                              {options{version: "v0.1.1", replaces: "v0.1.0"}, "herald.v0.1.1", "ghcr.io/herald-network/herald:v0.1.1", "herald.v0.1.0"},
		"that of the manifests, an image by digest": {options{image: "example.com/h@sha256:0"}, "herald.v0.1.0", "example.com/h@sha256:0", ""},
		"an image by digest":                        {options{version: "v1.0.0", image: "example.com/h@sha256:0"}, "herald.v1.0.0", "example.com/h@sha256:0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			csv := serviceVersion(t, made(t, test.options))
			container := csv.Spec.InstallStrategy.StrategySpec.DeploymentSpecs[0].Spec.Template.Spec.Containers[0]
			var agent string
			for _, variable := range container.Env {
				if variable.Name == "RELATED_IMAGE_AGENT" {
					agent = variable.Value
				}
			}
			if csv.Name != test.csv || "herald.v"+csv.Spec.Version.String() != test.csv || csv.Spec.Replaces != test.before {
				t.Errorf("it is %s, version %s, replacing %q", csv.Name, csv.Spec.Version, csv.Spec.Replaces)
			}
			images := []string{container.Image, agent, csv.Annotations["containerImage"]}
			for _, related := range csv.Spec.RelatedImages {
				images = append(images, related.Image)
			}
			for _, image := range images {
				if image != test.image {
					t.Errorf("images are %q, and not all %s", images, test.image)
				}
			}
		})
	}
}

// Whatever a bundle can't say stops its making.
func TestNothingGetsLost(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(string) string
		options options
		want    string
	}{
		"a kind that no bundle carries": {
			change: func(s string) string { return s + "\n---\n{apiVersion: batch/v1, kind: Job, metadata: {name: oops}}" },
			want:   "Job oops: an OLM bundle has no place for this kind",
		},
		"a ConfigMap that the manager needs": {
			change: func(s string) string { return strings.ReplaceAll(s, "optional: true", "optional: false") },
			want:   "the manager needs the ConfigMap herald-manager",
		},
		"a webhook for some namespaces": {
			change: func(s string) string {
				return strings.Replace(s, "matchPolicy: Equivalent", "namespaceSelector: {}", 1)
			},
			want: "OLM sets its namespaceSelector",
		},
		"a webhook that nothing serves": {
			change: func(s string) string { return strings.ReplaceAll(s, "port: 443", "port: 444") },
			want:   "there is no Service herald-webhook with port 443 that selects the manager's pods",
		},
		"a kind that config/olm doesn't describe": {
			change: func(s string) string { return strings.ReplaceAll(s, "name: bgpnodes.", "name: bgpknots.") },
			want:   "says nothing of bgpknots.herald.network",
		},
		"rights of a stranger": {
			change: func(s string) string {
				return strings.ReplaceAll(s, "- kind: ServiceAccount\n  name: herald-agent\n", "- kind: ServiceAccount\n  name: stranger\n")
			},
			want: "ServiceAccount stranger is none of the ServiceAccounts that are installed",
		},
		"a version without a v": {
			change:  func(s string) string { return s },
			options: options{version: "1.2.3"},
			want:    `the version "1.2.3" is not one such as`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.options.root = root
			_, err := bundle(test.options, strings.NewReader(test.change(rendering(t))))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestABundleIsTheSameEachTime(t *testing.T) {
	first, second := made(t, options{}), made(t, options{})
	if !maps.EqualFunc(first, second, bytes.Equal) {
		t.Error("two bundles of the same manifests differ")
	}
}

func TestFieldsHaveNamesInWords(t *testing.T) {
	for field, want := range map[string]string{
		"asNumber":              "AS Number",
		"bfd":                   "BFD",
		"conditions":            "Conditions",
		"ebgpMultihopTTL":       "eBGP Multihop TTL",
		"ipv4":                  "IPv4",
		"localASNumber":         "Local AS Number",
		"peerIP":                "Peer IP",
		"podCIDRAdvertisement":  "Pod CIDR Advertisement",
		"routerID":              "Router ID",
		"serviceExternalIPs":    "Service External IPs",
		"serviceLoopPrevention": "Service Loop Prevention",
	} {
		if got := displayName(field); got != want {
			t.Errorf("%s is called %q, want %q", field, got, want)
		}
	}
}

func TestDescriptionsEndWithASentence(t *testing.T) {
	long := "A" + strings.Repeat(" word", 50) + "."
	for description, want := range map[string]string{
		"One. Two.": "One. Two.",
		"It is\nof RFC 4271, section\n8.1.3. More.": "It is of RFC 4271, section 8.1.3. More.",
		"First. " + long + " And more.":             "First.",
		long + " " + long:                           long,
	} {
		if got := brief(description); got != want {
			t.Errorf("%q is cut to %q", description, got)
		}
	}
}
