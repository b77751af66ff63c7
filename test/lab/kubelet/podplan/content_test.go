package podplan_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/test/lab/kubelet/podplan"
)

func TestVolumesHoldWhatTheirSourcesSay(t *testing.T) {
	for name, tc := range map[string]struct {
		volume string
		want   map[string]string
	}{
		"all of a Secret": {
			`secret: {secretName: tor}`,
			map[string]string{"password": "s3cret 0644", "user": "herald 0644"},
		},
		"items of a Secret": {
			`secret: {secretName: tor, defaultMode: 256, items: [{key: password, path: a/b}, {key: user, path: user, mode: 420}]}`,
			map[string]string{"a/b": "s3cret 0400", "user": "herald 0644"},
		},
		"a ConfigMap": {`configMap: {name: settings}`, map[string]string{"level": "debug 0644"}},
		"an optional ConfigMap that is not there": {
			`configMap: {name: absent, optional: true}`, map[string]string{},
		},
		"an optional key that is not there": {
			`configMap: {name: settings, optional: true, items: [{key: absent, path: x}]}`, map[string]string{},
		},
		"the downward API": {
			`downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}, {path: cpu, resourceFieldRef: {containerName: c, resource: requests.cpu}}]}`,
			map[string]string{"labels": "app=\"web\"\ntier=\"front\" 0644", "cpu": "1 0644"},
		},
		"what admission adds to every pod": {
			`projected: {defaultMode: 420, sources: [
			  {serviceAccountToken: {path: token, expirationSeconds: 3607}},
			  {serviceAccountToken: {path: vault, audience: vault, expirationSeconds: 600}},
			  {configMap: {name: settings, items: [{key: level, path: ca.crt}]}},
			  {secret: {name: tor, items: [{key: user, path: user}]}},
			  {downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}}]}`,
			map[string]string{
				"token": "api-token 0644", "vault": "vault-token 0644", "ca.crt": "debug 0644", "user": "herald 0644", "namespace": "shop 0644",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			files, has, err := content(t, tc.volume)
			if err != nil || !has {
				t.Fatalf("has content: %v, error: %v", has, err)
			}
			got := make(map[string]string)
			for _, f := range files {
				got[f.Path] = string(f.Data) + " 0" + octal(f.Mode)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}

func octal(mode fs.FileMode) string {
	return string([]byte{'0' + byte(mode>>6&7), '0' + byte(mode>>3&7), '0' + byte(mode&7)})
}

func content(t *testing.T, volume string) (files []podplan.File, has bool, err error) {
	t.Helper()
	pod := parse(t, `
metadata: {name: web, namespace: shop, labels: {tier: front, app: web}}
spec:
  containers: [{name: c, resources: {requests: {cpu: 250m}}}]
  volumes:
  - name: v
    `+volume)
	return podplan.Content(pod, &pod.Spec.Volumes[0], facts(), objects())
}

func TestDirectoriesHaveNoContent(t *testing.T) {
	for _, volume := range []string{`emptyDir: {}`, `hostPath: {path: /run/herald}`} {
		if files, has, err := content(t, volume); has || err != nil || len(files) > 0 {
			t.Errorf("%s: %v, %v, %v", volume, files, has, err)
		}
	}
}

func TestVolumeThatCannotBeFilledSaysWhy(t *testing.T) {
	for volume, want := range map[string]string{
		`secret: {secretName: absent}`:                                              `volume "v": Secret "absent" not found`,
		`configMap: {name: settings, items: [{key: nope, path: x}]}`:                `ConfigMap "settings" has no key "nope"`,
		`configMap: {name: settings, items: [{key: level, path: ../x}]}`:            `path "../x" leads out`,
		`projected: {sources: [{serviceAccountToken: {path: t, audience: other}}]}`: `no token`,
		`projected: {sources: [{secret: {name: a}}, {configMap: {name: b}}]}`:       `ConfigMap "b" not found`,
		`downwardAPI: {items: [{path: x, fieldRef: {fieldPath: spec.nope}}]}`:       `no field "spec.nope"`,
		`nfs: {server: x, path: /}`:                                                 `of a type that the lab does not know`,
	} {
		if _, _, err := content(t, volume); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", volume, err, want)
		}
	}
}
