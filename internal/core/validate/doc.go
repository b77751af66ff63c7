// Package validate says what is wrong with an object: pure functions from an object, and where a rule needs them its
// siblings, to errors with field paths and to warnings. Admission and the agents call the same functions, so that what
// is refused and what is left out cannot differ.
//
// Most rules are in the CRDs' schema and CEL already, and the API server has the first word. This package adds what CEL
// can't say: the order of a range's ends, overlaps, label syntax, names that are resolved against other objects. It also
// says again, in the same words, what an agent would misread if it came in all the same (stored under older rules, or
// under CRDs that were altered): text that is parsed, numbers that go on the wire, and fields that exclude each other.
// What bounds an object's size or its lists' keys only protects the API server, and is not repeated.
package validate
