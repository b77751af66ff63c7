// Package proc starts the lab's processes, each inside a named network namespace and a mount namespace of its own.
//
// A process is born in three steps: Start runs the calling program again with the hidden command EnterCommand; that
// program, in Enter, moves into the namespaces and makes the mounts; then it becomes the wanted program with execve(2),
// so that the process id stays. A program that uses Start must therefore call Enter first thing in its main function (a
// test, in TestMain).
package proc
