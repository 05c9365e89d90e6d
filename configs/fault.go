package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hbollon/go-edlib"
)

// Fault is one thing wrong with a suite, in words that say what to do. It is a value.
type Fault struct {
	File         string // as it was given to [Load] or [Parse], or "--set"
	Line, Column int    // from 1; 0 where the fault has no place of its own
	Message      string
}

// Error is the fault on one line: file:line: message.
func (f Fault) Error() string {
	if f.Line < 1 {
		return f.File + ": " + f.Message
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message)
}

// Faults is all that is wrong with a suite, in the order of its lines. Empty is no error: see [Faults.Err].
type Faults []Fault

// maxShown bounds the lines of Faults.Error.
const maxShown = 50

// Error is one line for each fault, cut after fifty.
func (fs Faults) Error() string {
	lines := make([]string, 0, min(len(fs), maxShown+1))
	for i, f := range fs {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("%s: and %d more", f.File, len(fs)-i))
			break
		}
		lines = append(lines, f.Error())
	}
	return strings.Join(lines, "\n")
}

// Err is fs sorted, or nil if there is no fault. It reorders fs.
func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Message, b.Message))
	})
	return fs
}

// quote is s as a user may recognise it: quoted, and cut where it is long.
func quote(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) > most {
		s = string([]rune(s)[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// notKnown says that name is none of known: with the nearest of them, else with all of them if they are few.
func notKnown(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("is not known; did you mean %q?", near)
	}
	if len(known) == 0 || len(known) > 16 {
		return "is not known"
	}
	return "is not known; known are " + strings.Join(known, ", ")
}

// Nearest is the known name within a third of its letters of name, or "": what somebody who wrote name may have meant.
func Nearest(name string, known []string) string {
	if len(name) > 100 {
		return ""
	}
	best, least := "", len(name)
	for _, k := range known {
		d := edlib.OSADamerauLevenshteinDistance(strings.ToLower(name), strings.ToLower(k))
		if d < least && d <= max(1, len(k)/3) {
			best, least = k, d
		}
	}
	return best
}
