package draw

import (
	"image"
	"image/color"
	"image/draw"
	"strconv"
)

// Token is a piece of a caption for [Caption].
type Token struct {
	Text  string
	Open  bool    // its word goes on in the next token
	Score float64 // its cosine, printed below
	Rank  int     // 1 is the best
}

// markers are the colours of the three best tokens, as in the figures of CLIP Surgery, and of the text on them.
var markers = [...]struct{ back, text color.RGBA }{
	{color.RGBA{225, 20, 20, 255}, Paper},
	{color.RGBA{255, 225, 30, 255}, Ink},
	{color.RGBA{30, 215, 235, 255}, Ink},
}

// minCaption is the least width in pixels of a caption, whatever the picture's.
const minCaption = 480

// Caption is the picture of an image and its caption, token by token: img under saliency [h, w] in 0..1 (of the size of
// img) with a colour bar and title above, and below it the tokens in reading order with their scores. The three best
// are marked in red, yellow and cyan, and by their ranks. It panics if saliency is not of the size of img.
func Caption(img image.Image, saliency []float32, title string, tokens []Token) image.Image {
	b := img.Bounds()
	top := captioned(Blend(OnWhite(img), MapImage(saliency, b.Dx(), b.Dy())), title, true)
	size := min(max(max(b.Dx(), b.Dy())/34, 14), 40)
	s := newStrip(size, max(top.Rect.Dx(), minCaption), tokens)
	out := Blank(s.width, top.Rect.Dy()+s.height())
	draw.Draw(out, image.Rect((s.width-top.Rect.Dx())/2, 0, s.width, top.Rect.Dy()), top, image.Point{}, draw.Src)
	s.draw(out, top.Rect.Dy())
	return out
}

// strip is a caption set in lines.
type strip struct {
	words, numbers *Pen
	width, margin  int
	boxes          []box
	lines          int
}

// box is a token with its place: pixels from the left, and a line.
type box struct {
	Token
	x, width, line int
}

// newStrip breaks tokens into lines of at most width pixels.
func newStrip(size, width int, tokens []Token) *strip {
	s := &strip{words: NewPen(size), numbers: NewPen(max(size*3/4, 11)), width: width, margin: size / 2}
	room, x, line := width-2*s.margin, 0, 0
	for _, t := range tokens {
		pad := size / 3
		t.Text = s.words.Fit(t.Text, room-2*pad)
		w := max(s.words.Width(t.Text), s.numbers.Width(t.label())) + 2*pad
		if x > 0 && x+w > room {
			x, line = 0, line+1
		}
		s.boxes = append(s.boxes, box{t, s.margin + x, w, line})
		if x += w; !t.Open {
			x += s.margin / 2
		}
		s.lines = line + 1
	}
	return s
}

// label is what stands below a token: its score, and its rank if it is marked.
func (t Token) label() string {
	score := strconv.FormatFloat(t.Score, 'f', 3, 64)
	if t.marked() {
		return strconv.Itoa(t.Rank) + ": " + score
	}
	return score
}

func (t Token) marked() bool { return t.Rank >= 1 && t.Rank <= len(markers) }

// lineHeight is that of a token with its label and the gap below.
func (s *strip) lineHeight() int { return s.words.Line + s.numbers.Line + s.margin + 4 }

func (s *strip) height() int { return s.lines*s.lineHeight() + s.margin }

func (s *strip) draw(dst *image.RGBA, top int) {
	for _, b := range s.boxes {
		y := top + b.line*s.lineHeight()
		r := image.Rect(b.x, y, b.x+b.width, y+s.words.Line+4)
		c, below := Ink, Faint
		if b.marked() {
			m := markers[b.Rank-1]
			Fill(dst, r, m.back)
			c, below = m.text, Ink
		}
		Frame(dst, r.Inset(1), Faint)
		s.words.Centred(dst, b.x+b.width/2, y+2, c, b.Text)
		s.numbers.Centred(dst, b.x+b.width/2, r.Max.Y+1, below, b.label())
	}
}
