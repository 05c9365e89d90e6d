package draw

import (
	"image"
	"slices"
	"testing"

	"ovbench/reports/draw/drawtest"
)

var captionTokens = []Token{
	{Text: "[start]", Score: 0.1211, Rank: 5},
	{Text: "a", Score: 0.1312, Rank: 4},
	{Text: "pot", Open: true, Score: 0.3015, Rank: 1},
	{Text: "ted", Score: 0.2214, Rank: 3},
	{Text: "façade", Score: -0.0412, Rank: 6},
	{Text: "日本", Score: -0.0412, Rank: 7},
	{Text: "[end]", Score: 0.2516, Rank: 2},
}

func TestCaptionGolden(t *testing.T) {
	got := Caption(drawtest.Scene(240, 180), drawtest.Bump(240, 180), "a potted façade", captionTokens)
	drawtest.Golden(t, "caption.png", got)
	drawtest.MarginIsWhite(t, "caption.png", got)
}

// A caption of 77 tokens under a small picture stays inside of it, and a token too long for a line is shortened.
func TestCaptionBreaksLines(t *testing.T) {
	tokens := slices.Repeat(captionTokens, 11)
	tokens[40].Text = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenfabrikant"
	for _, side := range []int{16, 240, 1400} {
		got := Caption(drawtest.Scene(side, side), drawtest.Bump(side, side), "long", tokens)
		drawtest.MarginIsWhite(t, "long caption", got)
	}
	s := newStrip(14, minCaption, tokens)
	end := map[int]int{} // of a line, so far
	for i, b := range s.boxes {
		if b.x < end[b.line] || b.x+b.width > s.width-s.margin {
			t.Errorf("token %d at %d..%d of line %d, which has begun with %d pixels", i, b.x, b.x+b.width, b.line,
				end[b.line])
		}
		if end[b.line] = b.x + b.width; b.line != 0 && i > 0 && b.line < s.boxes[i-1].line {
			t.Errorf("token %d stands in line %d, after line %d", i, b.line, s.boxes[i-1].line)
		}
	}
	if s.lines < 8 || s.boxes[len(s.boxes)-1].line != s.lines-1 {
		t.Errorf("%d lines, the last token in line %d", s.lines, s.boxes[len(s.boxes)-1].line)
	}
}

// The three best are marked in the order red, yellow, cyan, and no other.
func TestCaptionMarks(t *testing.T) {
	got := drawtest.OnWhite(Caption(drawtest.Scene(240, 180), drawtest.Bump(240, 180), "", captionTokens))
	s := newStrip(14, got.Rect.Dx(), captionTokens)
	top := got.Rect.Dy() - s.height()
	for i, b := range s.boxes {
		at := image.Pt(b.x+2, top+b.line*s.lineHeight()+2) // a corner, beside the text
		want := Paper
		if r := captionTokens[i].Rank; r <= 3 {
			want = markers[r-1].back
		}
		if c := got.RGBAAt(at.X, at.Y); c != want {
			t.Errorf("token %d of rank %d is marked %v, want %v", i, captionTokens[i].Rank, c, want)
		}
	}
}
