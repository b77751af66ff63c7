// Package table reads the tables that kubectl prints.
package table

import "strings"

// Parse reads a table as kubectl prints it: a line of headings, and under each its column. Lines above the
// headings, like warnings, are not part of it.
func Parse(text string, firstHeading string) []map[string]string {
	var headings []string
	var offsets []int
	var rows []map[string]string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if headings == nil {
			if strings.HasPrefix(line, firstHeading) {
				headings, offsets = columns(line)
			}
			continue
		}
		rows = append(rows, cells(line, headings, offsets))
	}
	return rows
}

// columns splits a line of headings. A heading may hold single spaces; two or more end it.
func columns(line string) (headings []string, offsets []int) {
	for i := 0; i < len(line); {
		end := strings.Index(line[i:], "  ")
		if end < 0 {
			end = len(line) - i
		}
		headings, offsets = append(headings, strings.TrimSpace(line[i:i+end])), append(offsets, i)
		for i += end; i < len(line) && line[i] == ' '; i++ {
		}
	}
	return headings, offsets
}

func cells(line string, headings []string, offsets []int) map[string]string {
	row := map[string]string{}
	for i, heading := range headings {
		start, end := min(offsets[i], len(line)), len(line)
		if i+1 < len(offsets) {
			end = min(offsets[i+1], len(line))
		}
		row[heading] = strings.TrimSpace(line[start:end])
	}
	return row
}
