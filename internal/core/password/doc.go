// Package password decides what of a Secret is the password of a session (TCP MD5, RFC 2385), and says what is wrong where
// there is none. Agents, which open sessions by it, and the manager, which reports, ask the same functions.
package password
