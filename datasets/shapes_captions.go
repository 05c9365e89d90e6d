package datasets

import "strings"

// captionsOf describes a scene n times: the first names everything, the others leave out words, things or the ground as
// captions do.
func (s *shapeScene) captions(r *random, n int) []string {
	out := make([]string, n)
	for i := range out {
		full := i == 0
		var parts []string
		for _, k := range r.shuffled(len(s.things)) {
			if full || len(parts) == 0 || r.percent(85) {
				parts = append(parts, s.things[k].describe(r, full))
			}
		}
		what := list(parts)
		ground := s.groundWords(r, full)
		switch {
		case what == "":
			out[i] = ground
		case full || r.percent(70):
			out[i] = what + " on " + ground
		default:
			out[i] = what
		}
	}
	return out
}

// describe is a thing in words: "a small striped red circle".
func (t *shapeThing) describe(r *random, full bool) string {
	var words []string
	add := func(w string, percent int) {
		if w != "" && (full || r.percent(percent)) {
			words = append(words, w)
		}
	}
	add(t.size(), 40)
	add(shapeTextures[t.texture], 60)
	add(shapeColours[t.colour], 85)
	words = append(words, shapeFigures[t.figure])
	return article(words[0]) + strings.Join(words, " ")
}

// size is a word for a thing that is small or large, else nothing.
func (t *shapeThing) size() string {
	switch {
	case t.r < 16*25:
		return "small"
	case t.r > 16*44:
		return "large"
	}
	return ""
}

// groundWords is the ground, or both, or one of both.
func (s *shapeScene) groundWords(r *random, full bool) string {
	var words []string
	for _, k := range r.shuffled(len(s.grounds)) {
		if full || len(words) == 0 || r.percent(75) {
			words = append(words, shapeGrounds[s.grounds[k]])
		}
	}
	return list(words)
}

func article(word string) string {
	if strings.ContainsRune("aeiou", rune(word[0])) {
		return "an "
	}
	return "a "
}

// list joins parts with commas and "and".
func list(parts []string) string {
	switch n := len(parts); n {
	case 0:
		return ""
	case 1:
		return parts[0]
	default:
		return strings.Join(parts[:n-1], ", ") + " and " + parts[n-1]
	}
}
