package controllers

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/password"
)

func TestReadable(t *testing.T) {
	t.Parallel()
	peer := func(secret string) v1alpha1.BGPPeer {
		return v1alpha1.BGPPeer{Spec: v1alpha1.BGPPeerSpec{
			Password: &v1alpha1.Password{SecretKeyRef: v1alpha1.SecretKeyRef{Name: secret, Key: "password"}},
		}}
	}
	secret := func(name string, kind corev1.SecretType) corev1.Secret {
		return corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Type: kind}
	}
	const none = ""
	for name, row := range map[string]struct {
		peers   []v1alpha1.BGPPeer
		secrets []corev1.Secret
		want    []string
	}{
		"no peers":            {nil, []corev1.Secret{secret("a", none)}, nil},
		"a peer without":      {[]v1alpha1.BGPPeer{{}}, []corev1.Secret{secret("", none)}, nil},
		"in order, once":      {[]v1alpha1.BGPPeer{peer("b"), peer("a"), peer("b")}, []corev1.Secret{secret("b", none), secret("a", corev1.SecretTypeOpaque)}, []string{"a", "b"}},
		"not there":           {[]v1alpha1.BGPPeer{peer("a")}, []corev1.Secret{secret("b", none)}, nil},
		"with a user":         {[]v1alpha1.BGPPeer{peer("a")}, []corev1.Secret{secret("a", corev1.SecretTypeBasicAuth)}, []string{"a"}},
		"a ServiceAccount's":  {[]v1alpha1.BGPPeer{peer("a")}, []corev1.Secret{secret("a", corev1.SecretTypeServiceAccountToken)}, nil},
		"a key":               {[]v1alpha1.BGPPeer{peer("a")}, []corev1.Secret{secret("a", corev1.SecretTypeTLS)}, nil},
		"a registry's":        {[]v1alpha1.BGPPeer{peer("a")}, []corev1.Secret{secret("a", corev1.SecretTypeDockerConfigJson)}, nil},
		"of a type not known": {[]v1alpha1.BGPPeer{peer("a")}, []corev1.Secret{secret("a", "helm.sh/release.v1")}, nil},
		"the webhook's":       {[]v1alpha1.BGPPeer{peer(password.WebhookSecret)}, []corev1.Secret{secret(password.WebhookSecret, none)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			NewWithT(t).Expect(readable(row.peers, row.secrets)).To(Equal(row.want))
		})
	}
}
