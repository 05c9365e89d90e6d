package datasets

// shapeScene is what is in a picture of shapes, before it is painted.
type shapeScene struct {
	grounds []int // one, or the upper and the lower
	horizon int   // row at the left edge where the lower ground begins
	slope   int   // rows it falls towards the right edge
	things  []shapeThing
	seed    uint64 // of textures and noise
	light   light
}

// shapeThing is one shape of a scene, the later over the earlier.
type shapeThing struct {
	figure  figure
	colour  int // of shapeColours
	texture int // of shapeTextures
	x, y, r int // in 16ths of a pixel
	turn    int // in turns
	stripe  int // width of its texture's cells, in 1024ths of r
	rgb     [3]int
	second  [3]int // the texture's other colour
}

// light is what makes two pictures of the same things differ.
type light struct {
	gain      int // 256 is as it is
	fallX     int // gain added from left to right
	fallY     int // and from top to bottom
	noise     int // largest change of a channel
	scratches int // thin strokes on the ground
}

// shapeColours names the colours, shapeRGB what they look like before jitter and light.
var (
	shapeColours = []string{"red", "orange", "yellow", "green", "blue", "purple", "white", "black"}
	shapeRGB     = [][3]int{{210, 30, 35}, {240, 130, 20}, {245, 220, 40}, {35, 175, 60}, {35, 70, 215}, {130, 40, 165},
		{240, 240, 240}, {22, 22, 24}}
)

// shapeTextures names the textures; the first needs no word.
var shapeTextures = []string{"", "striped", "spotted", "checkered"}

// held says whether a colour and a shape are never together outside of the split heldout: one pair of each colour and
// shape.
func held(colour int, f figure) bool { return int(f) == (3*colour+1)%len(shapeFigures) }

// clashes says whether a colour is hard to see on a ground.
func clashes(colour, ground int) bool {
	c, g := shapeColours[colour], shapeGrounds[ground]
	return c == "white" && g == "snow" || c == "black" && g == "night sky"
}

// newScene draws what is in a picture. With heldOut every pair of colour and shape is a held-out one, else none is.
func newScene(r *random, heldOut bool) shapeScene {
	s := shapeScene{grounds: []int{r.below(len(shapeGrounds))}, seed: r.next()}
	if r.percent(50) {
		s.grounds = append(s.grounds, (s.grounds[0]+r.between(1, len(shapeGrounds)-1))%len(shapeGrounds))
		s.horizon, s.slope = r.between(ShapesSide/4, ShapesSide*3/4), r.between(-30, 30)
	}
	s.light = light{gain: r.between(200, 276), fallX: r.between(-40, 40), fallY: r.between(-40, 40),
		noise: r.between(0, 20), scratches: r.between(0, 8)}
	n := r.weighted(2, 26, 30, 24, 12, 6)
	for range n {
		lo, hi := 18, 46
		if n == 1 {
			lo, hi = 26, 72
		}
		if t, ok := s.place(r, lo, hi, heldOut); ok {
			s.things = append(s.things, t)
		}
	}
	return s
}

// place draws a thing and finds room for it: mostly inside the picture, and no other one covered by more than its rim.
func (s *shapeScene) place(r *random, lo, hi int, heldOut bool) (shapeThing, bool) {
	t := s.dress(r, heldOut)
	for range 40 {
		t.r = 16 * r.between(lo, hi)
		t.x, t.y = r.between(t.r*3/4, 16*ShapesSide-t.r*3/4), r.between(t.r*3/4, 16*ShapesSide-t.r*3/4)
		free := true
		for _, o := range s.things {
			dx, dy, d := t.x-o.x, t.y-o.y, (t.r+o.r)*3/4
			free = free && dx*dx+dy*dy >= d*d
		}
		if free {
			return t, true
		}
	}
	return t, false
}

// dress draws colour, shape, texture and pose: a pair of colour and shape that the scene does not have yet.
func (s *shapeScene) dress(r *random, heldOut bool) shapeThing {
	var t shapeThing
	for fits := false; !fits; {
		t.colour, t.figure = r.below(len(shapeColours)), figure(r.below(len(shapeFigures)))
		if heldOut {
			t.figure = figure((3*t.colour + 1) % len(shapeFigures))
		}
		fits = held(t.colour, t.figure) == heldOut
		for _, g := range s.grounds {
			fits = fits && !clashes(t.colour, g)
		}
		for _, o := range s.things {
			fits = fits && (o.colour != t.colour || o.figure != t.figure)
		}
	}
	t.texture = r.weighted(55, 15, 15, 15)
	t.turn = r.between(-turns/16, turns/16)
	t.stripe = r.between(300, 480)
	for c := range t.rgb {
		t.rgb[c] = min(max(shapeRGB[t.colour][c]+r.between(-16, 16), 0), 255)
	}
	// The second colour is a shade of the first: darker, or lighter where there is nothing darker.
	for c, v := range t.rgb {
		t.second[c] = v * 5 / 9
		if shapeColours[t.colour] == "black" {
			t.second[c] = v + 70
		}
	}
	return t
}

// painted is what covers a point of a thing, u to the right and v down in units of 1024 = radius, already turned.
func (t *shapeThing) painted(u, v int) [3]int {
	cell := func(x int) int { return (x + 1<<20) / t.stripe }
	second := false
	switch shapeTextures[t.texture] {
	case "striped":
		second = cell(v)%2 == 1
	case "spotted":
		du, dv := (u+1<<20)%t.stripe-t.stripe/2, (v+1<<20)%t.stripe-t.stripe/2
		second = 100*(du*du+dv*dv) < 9*t.stripe*t.stripe
	case "checkered":
		second = (cell(u)+cell(v))%2 == 1
	}
	if second {
		return t.second
	}
	return t.rgb
}
