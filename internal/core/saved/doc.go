// Package saved is what an agent leaves to the next one on its node: what it wanted its speaker to be, so that the next one
// can say the same to the routers before it has heard from the API server.
//
// It is the speaker's input and not the API's objects: an agent that can't ask should not decide anew either. What is
// saved counts only on the same node, in the same boot, and to an agent to which the same words mean the same; Decode
// refuses all else. Passwords are in it in plain text.
package saved
