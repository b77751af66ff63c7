package install

import (
	"context"
	"fmt"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// ofOLM are the objects that OLM leaves out, or makes in its own way, each with the reason.
func ofOLM() map[string]string {
	return map[string]string{
		"ConfigMap herald-system/herald-manager":           "is left to users: an upgrade would undo what they write there",
		"Deployment herald-system/herald-manager":          "OLM adds its environment, and mounts its certificate",
		"Service herald-system/herald-webhook":             "OLM makes one of another name",
		"ValidatingWebhookConfiguration /herald-admission": "OLM makes one for each webhook",
		"ClusterRole /herald-manager":                      "owns the policies; the rights are in one that OLM makes",
		"ClusterRole /herald-agent":                        "OLM makes one of another name",
		"ClusterRoleBinding /herald-manager":               "OLM makes one of another name",
		"ClusterRoleBinding /herald-agent":                 "OLM makes one of another name",
		"Role default/herald-agent-events":                 "a bundle has nothing for other namespaces: agents may create events in all",
		"RoleBinding default/herald-agent-events":          "a bundle has nothing for other namespaces",
		"ServiceAccount herald-system/herald-manager":      "OLM makes it, without labels",
		"ServiceAccount herald-system/herald-agent":        "OLM makes it, without labels",
	}
}

// sameCases compare what the ways of installing end in.
func sameCases(objects map[string]map[string]string) {
	It("is the same in whatever way", func() {
		Expect(objects).To(HaveLen(len(ways()) + 1))
		want := objects[withKubectl().section]
		Expect(want).NotTo(BeEmpty())
		var differences []string
		for section, got := range objects {
			for key, object := range want {
				reason, known := ofOLM()[key]
				switch difference := cmp.Diff(object, got[key]); {
				case known && section == withOLM && difference == "":
					differences = append(differences, fmt.Sprintf("%s: %s is the same, not one that is there because %s", section, key, reason))
				case known && section == withOLM:
				case difference != "":
					differences = append(differences, fmt.Sprintf("%s: %s differs:\n%s", section, key, difference))
				}
			}
			for key := range got {
				if want[key] == "" {
					differences = append(differences, fmt.Sprintf("%s: %s is only there", section, key))
				}
			}
		}
		Expect(differences).To(BeEmpty())
	})
}

// installed returns what an installation consists of, in YAML by kind and name: what is written there, not what the cluster and
// the tool that installed it keep beside it.
func (r *rack) installed(ctx context.Context) map[string]string {
	GinkgoHelper()
	const kinds = "crds,namespaces,serviceaccounts,configmaps,services,deployments,daemonsets,poddisruptionbudgets,networkpolicies," +
		"clusterroles,clusterrolebindings,roles,rolebindings," +
		"validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings"
	output, err := r.Kubectl(ctx, "get", kinds, "-A", "-l", "app.kubernetes.io/name=herald", "-o", "yaml")
	Expect(err).NotTo(HaveOccurred())
	var list unstructured.UnstructuredList
	Expect(yaml.Unmarshal([]byte(output), &list)).To(Succeed())
	objects := map[string]string{}
	for _, item := range list.Items {
		object := written(item.Object)
		text, err := yaml.Marshal(object)
		Expect(err).NotTo(HaveOccurred())
		objects[item.GetKind()+" "+item.GetNamespace()+"/"+item.GetName()] = string(text)
	}
	return objects
}

// written returns of an object what was written by whoever installed it.
func written(object map[string]any) map[string]any {
	u := unstructured.Unstructured{Object: object}
	labels := map[string]string{}
	for _, key := range []string{"app.kubernetes.io/name", "app.kubernetes.io/component"} {
		labels[key] = u.GetLabels()[key]
	}
	metadata := map[string]any{"name": u.GetName(), "namespace": u.GetNamespace(), "labels": labels}
	for _, owner := range u.GetOwnerReferences() {
		if owner.Kind != "ClusterServiceVersion" {
			metadata["owner"] = owner.Kind + " " + owner.Name
		}
	}
	rest := map[string]any{"kind": u.GetKind(), "metadata": metadata}
	for key, value := range object {
		switch key {
		case "metadata", "status", "kind", "apiVersion":
		default:
			rest[key] = value
		}
	}
	prune(rest)
	if data, ok := rest["data"].(map[string]any); ok && u.GetKind() == "ConfigMap" {
		for name, file := range data {
			data[name] = settings(file)
		}
	}
	return rest
}

// settings returns what a configuration file says, without its comments.
func settings(file any) any {
	GinkgoHelper()
	text, _ := file.(string)
	var said any
	Expect(yaml.Unmarshal([]byte(text), &said)).To(Succeed())
	return said
}

// prune removes what the API server, or a controller, fills in with something of its own.
func prune(value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range []string{"caBundle", "clusterIP", "clusterIPs", "deprecated.daemonset.template.generation"} {
			delete(value, key)
		}
		for _, nested := range value {
			prune(nested)
		}
	case []any:
		for _, nested := range value {
			prune(nested)
		}
	}
}
