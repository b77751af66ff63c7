package tour

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// page writes the tour for a person to read: with colours on a terminal, plain elsewhere.
type page struct {
	out    io.Writer
	colour bool
}

// ANSI escape sequences.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	cyan  = "\x1b[36m"
	reset = "\x1b[0m"
)

func newPage(out io.Writer) *page {
	return &page{out: out, colour: isTerminal(out) && os.Getenv("NO_COLOR") == ""}
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (p *page) title(number int, title, text string) {
	const width = 100
	heading := fmt.Sprintf("── %d. %s ", number, title)
	rule := strings.Repeat("─", max(0, width-len([]rune(heading))))
	p.printf("\n%s\n\n%s\n", p.paint(bold, heading)+p.paint(dim, rule), strings.TrimSpace(text))
}

func (p *page) prompt(c Command) {
	line := quote(c.Argv)
	if c.Input != "" {
		line += " <<EOF\n" + c.Input + "EOF"
	}
	p.printf("\n%s %s\n", p.paint(cyan, c.Host+":~$"), p.paint(bold, line))
}

// output shows the first lines of what a command printed; 0 shows all.
func (p *page) output(text string, lines int) {
	text = strings.TrimRight(text, "\n \t")
	if text == "" {
		return
	}
	shown := strings.Split(text, "\n")
	if lines > 0 && len(shown) > lines {
		shown = append(shown[:lines:lines], "...")
	}
	for _, line := range shown {
		p.printf("%s\n", strings.TrimRight(line, " \t\r"))
	}
}

// passed shows what was verified, one line for each.
func (p *page) passed(verdict string) {
	for line := range strings.SplitSeq(verdict, "\n") {
		p.printf("%s\n", p.paint(green, "✓ "+line))
	}
}

func (p *page) differs(err error) {
	p.printf("%s\n", p.paint(red, "✗ "+err.Error()))
}

func (p *page) summary(titles []string, commands int, took time.Duration) {
	p.printf("\n%s\n\n", p.paint(bold, "── The tour is complete ")+p.paint(dim, strings.Repeat("─", 76)))
	for i, title := range titles {
		p.printf("%s %d. %s\n", p.paint(green, "✓"), i+1, title)
	}
	p.printf("\n%d commands, each did what it should, in %.1f s.\n", commands, took.Seconds())
}

func (p *page) paint(colour, text string) string {
	if !p.colour {
		return text
	}
	return colour + text + reset
}

// printf ignores the error: there is nobody left to tell that the terminal is gone.
func (p *page) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format, args...)
}

// quote returns a command line that a shell reads as exactly these words.
func quote(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = word
		if word == "" || strings.ContainsAny(word, " \t\n\"$&'()*;<>?[]\\`{|}~#!") {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
