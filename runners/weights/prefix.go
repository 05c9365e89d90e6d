package weights

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// shells are parts of names that torch.compile, FSDP, DDP and activation checkpoints put around any module.
var shells = regexp.MustCompile(`(^|\.)(_orig_mod|_fsdp_wrapped_module|_fpw_module|_checkpoint_wrapped_module|_forward_module|module)\.`)

// copies are prefixes of a second copy of a model: its average over time, its teacher.
var copies = regexp.MustCompile(`(?i)ema|teacher|momentum|average|swa|_m\.$|target`)

// Unwrap finds the model inside whatever a training script built around it: the prefix before one of the landmarks,
// tensors that every model of the family has. The prefix is dropped; tensors elsewhere are left out, but for shared
// ones such as logit_scale that the model itself lacks. Notes say what is left out. Without a landmark nothing changes.
func (l *Loader) Unwrap(landmarks, shared []string) {
	if slices.ContainsFunc(l.names, shells.MatchString) {
		l.Rename(stripShells)
	}
	prefix, ok := l.prefix(landmarks)
	if !ok || prefix == "" || l.err != nil {
		return
	}
	inside := maps.Clone(l.tensors)
	var outside []string
	for _, name := range l.names {
		switch rest, ok := strings.CutPrefix(name, prefix); {
		case ok:
		case slices.Contains(shared, rest) && !l.Has(prefix+rest):
		default:
			outside = append(outside, name)
			delete(inside, name)
		}
	}
	l.tensors, l.names = inside, slices.Sorted(maps.Keys(inside))
	if len(outside) > 0 {
		l.notes = append(l.notes, fmt.Sprintf("%d tensors outside %s are not read, the first is %s", len(outside), prefix,
			outside[0]))
	}
	l.Rename(func(name string) string { return strings.TrimPrefix(name, prefix) })
}

func stripShells(name string) string {
	for shells.MatchString(name) {
		name = shells.ReplaceAllString(name, "$1")
	}
	return name
}

// prefix is what stands before a landmark, ending with a dot, or nothing. Of several the one that is no copy counts.
func (l *Loader) prefix(landmarks []string) (prefix string, ok bool) {
	var found []string
	for _, name := range l.names {
		for _, mark := range landmarks {
			p, ends := strings.CutSuffix(name, mark)
			if ends && (p == "" || strings.HasSuffix(p, ".")) && !slices.Contains(found, p) {
				found = append(found, p)
			}
		}
	}
	if slices.Contains(found, "") {
		return "", true
	}
	if len(found) > 1 {
		found = slices.DeleteFunc(found, copies.MatchString)
	}
	if len(found) > 1 {
		l.Fail("models lie under several prefixes, %s: save the one that is meant alone", strings.Join(found, " and "))
	}
	if len(found) != 1 {
		return "", false
	}
	return found[0], true
}
