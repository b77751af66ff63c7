package agent_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/password"
)

var torKey = v1alpha1.SecretKeyRef{Name: "tor", Key: "password"}

// withPassword makes a peer have its password under torKey.
func withPassword(p *v1alpha1.BGPPeer) {
	p.Spec.Password = &v1alpha1.Password{SecretKeyRef: torKey}
}

// holds says what is under torKey now; nothing says that there is no Secret.
func holds(value ...string) input.Password {
	var secret *password.Secret
	for _, v := range value {
		secret = &password.Secret{Data: map[string][]byte{torKey.Key: []byte(v)}}
	}
	return input.Password{Key: torKey, Found: password.In(secret, torKey)}
}

// passwords returns those of the peers that run.
func (w *world) passwords() map[string]string {
	passwords := map[string]string{}
	for _, s := range w.speaker.Observe().Sessions {
		passwords[s.Peer.Name] = s.Peer.Password.Reveal()
	}
	return passwords
}

// state returns the state of the session with tor, and what the agent says of it.
func (w *world) state() (v1alpha1.SessionState, string) {
	for _, s := range w.status().Sessions {
		if s.Peer == "tor" {
			return s.State, s.LastError
		}
	}
	return "", ""
}

func TestASessionFollowsItsPassword(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(withPassword), peer("spine", "192.168.1.2"), node(), blocks("10.49.0.0/16"), holds())
		w.Expect(w.steps()).To(Equal([][]string{{"Advertise 10.49.0.0/16", "AddPeer spine"}}), "a peer is never opened without its password")
		w.speaker.Establish("spine")
		state, cause := w.state()
		w.Expect(state).To(Equal(v1alpha1.SessionIdle))
		w.Expect(cause).To(ContainSubstring(`no Secret "tor" in Herald's namespace "herald-system"`))

		w.hear(holds("hush"))
		w.Expect(w.steps()[1:]).To(Equal([][]string{{"AddPeer tor"}}))
		w.Expect(w.passwords()).To(Equal(map[string]string{"tor": "hush", "spine": ""}))
		w.speaker.Establish("tor")

		w.hear(holds("other"))
		w.Expect(w.steps()[2:]).To(Equal([][]string{{"UpdatePeer tor"}}))
		w.Expect(w.passwords()).To(HaveKeyWithValue("tor", "other"))

		for _, gone := range []input.Password{holds(), holds(""), {Key: torKey, Found: password.Found{Verdict: password.Unreadable}}} {
			w.hear(gone, tor(withPassword, func(p *v1alpha1.BGPPeer) { p.Generation = 2 }))
			w.Expect(w.steps()[3:]).To(BeEmpty(), "a session keeps its password, whatever becomes of the Secret")
			w.Expect(w.status().Conditions[0].Message).To(ContainSubstring("spec.password.secretKeyRef"))
		}

		w.hear(holds("third"))
		w.Expect(w.steps()[3:]).To(Equal([][]string{{"UpdatePeer tor"}}))
		w.Expect(w.passwords()).To(Equal(map[string]string{"tor": "third", "spine": ""}))
		w.Expect(w.status().Sessions).To(ContainElement(And(HaveField("Peer", "spine"), HaveField("Flaps", BeZero()))))
	})
}

func TestAPeerThatIsMadeAnewNeedsItsSecret(t *testing.T) {
	t.Parallel()
	for name, between := range map[string][]input.Event{
		"deleted and made again":   {input.Peer{Name: "tor"}, tor(withPassword, func(p *v1alpha1.BGPPeer) { p.UID = "uid-other" })},
		"for other nodes a while":  {tor(withPassword, forRack("z")), tor(withPassword)},
		"on a node out of service": {node(excluded), node()},
		"without one for a while":  {tor(), tor(withPassword)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(w *world) {
				w.hearAll(tor(withPassword), node(), holds("hush"))
				w.hear(holds())
				w.Expect(w.passwords()).To(Equal(map[string]string{"tor": "hush"}))
				for _, event := range between {
					w.hear(event)
				}
				w.Expect(w.passwords()).To(BeEmpty())
				w.hear(holds("hush"))
				w.Expect(w.passwords()).To(Equal(map[string]string{"tor": "hush"}))
			})
		})
	}
}

func forRack(rack string) func(*v1alpha1.BGPPeer) {
	return func(p *v1alpha1.BGPPeer) {
		p.Spec.NodeSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"rack": rack}}
	}
}

func TestAnAgentThatStartsWaitsForSecretsAMoment(t *testing.T) {
	t.Parallel()
	events := []input.Event{tor(withPassword), peer("spine", "192.168.1.2"), node()}
	t.Run("and opens all sessions at once", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(w *world) {
			w.hearAll(events...)
			w.Expect(w.steps()).To(BeEmpty())
			w.Expect(w.agent.Ready(w.t.Context())).NotTo(Succeed())
			w.hear(holds("hush"))
			w.Expect(w.steps()).To(Equal([][]string{{"AddPeer spine", "AddPeer tor"}}))
		})
	})
	t.Run("and not much longer", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(w *world) {
			w.hearAll(events...)
			pass(500 * time.Millisecond)
			w.hear(blocks("10.49.0.0/16")) // What else comes does not make it longer.
			w.Expect(w.steps()).To(BeEmpty())
			pass(500 * time.Millisecond)
			w.Expect(w.steps()).To(Equal([][]string{{"Advertise 10.49.0.0/16", "AddPeer spine"}}))
			state, cause := w.state()
			w.Expect(state).To(Equal(v1alpha1.SessionIdle))
			w.Expect(cause).To(ContainSubstring(`the Secret "tor" has not been read yet`))
			w.hear(holds("hush"))
			w.Expect(w.steps()[1:]).To(Equal([][]string{{"AddPeer tor"}}))
		})
	})
	t.Run("and never later on", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(w *world) {
			w.hearAll(node(), blocks("10.49.0.0/16"))
			w.hear(tor(withPassword), peer("spine", "192.168.1.2"))
			w.Expect(w.steps()[1:]).To(Equal([][]string{{"AddPeer spine"}}))
		})
	})
}

func TestOnlyTheSecretsThatPeersNameAreFollowed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(node(), tor())
		w.Expect(w.secrets.keys).To(BeEmpty())
		w.hear(tor(withPassword), peer("other", "192.168.1.3", withPassword, forRack("z")))
		w.Expect(w.secrets.keys).To(HaveKey(torKey))
		w.Expect(w.secrets.keys).To(HaveLen(1))
		w.hear(holds("hush"))
		w.hear(tor())
		w.Expect(w.secrets.keys).To(BeEmpty())
		w.hear(holds("hush")) // A late word of what nobody needs any more.
		w.hear(tor(withPassword))
		w.Expect(w.passwords()).To(BeEmpty(), "what a Secret held once is not what it holds now")
	})
}

func TestASecretIsTriedAgainWhenTheManagerSaysSomethingElse(t *testing.T) {
	t.Parallel()
	judged := func(reason, message string) func(*v1alpha1.BGPPeer) {
		return func(p *v1alpha1.BGPPeer) {
			p.Status.Conditions = []metav1.Condition{{Type: "Accepted", Reason: reason, Message: message}}
		}
	}
	sessions := func(p *v1alpha1.BGPPeer) { p.Status.Nodes.Established = 7 }
	edited := func(p *v1alpha1.BGPPeer) { p.Generation = 2 }
	missing := judged("SecretNotFound", "there is none")
	inBubble(t, func(w *world) {
		w.hearAll(node(), tor(withPassword, missing))
		occasion := w.secrets.keys[torKey]
		w.hear(tor(withPassword, missing, sessions))
		w.Expect(w.secrets.keys).To(HaveKeyWithValue(torKey, occasion), "news of sessions are none of the Secret")
		for _, news := range []func(*v1alpha1.BGPPeer){judged("SecretNotFound", "it has no key"), judged("Valid", ""), edited} {
			w.hear(tor(withPassword, news))
			w.Expect(w.secrets.keys).NotTo(HaveKeyWithValue(torKey, occasion))
			occasion = w.secrets.keys[torKey]
		}
	})
}

func TestNoPasswordIsReported(t *testing.T) {
	t.Parallel()
	inBubble(t, func(w *world) {
		w.hearAll(tor(withPassword), node(), holds("hush\n"))
		w.Expect(w.passwords()).To(Equal(map[string]string{"tor": "hush\n"}), "byte for byte")
		status, err := json.Marshal(w.status())
		w.Expect(err).NotTo(HaveOccurred())
		w.Expect(string(status)).NotTo(ContainSubstring("hush"))
		for _, plan := range w.speaker.Plans() {
			w.Expect(fmt.Sprintf("%v %+v %#v", plan, plan, plan)).NotTo(ContainSubstring("hush"))
		}
	})
}
