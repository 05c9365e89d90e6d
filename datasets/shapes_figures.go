package datasets

// figure is one of the shapes that scenes are made of.
type figure uint8

// shapeFigures names the shapes; figure i is called shapeFigures[i].
var shapeFigures = []string{"circle", "square", "triangle", "star", "ring", "cross", "heart", "moon"}

const (
	figureCircle figure = iota
	figureSquare
	figureTriangle
	figureStar
	figureRing
	figureCross
	figureHeart
	figureMoon
)

// unit is the radius of the circle that every figure fits into, in the integers in which covers computes.
const unit = 1024

// starCorners are the ten corners of a five-pointed star: radius 1 and 0.42 in turn, from straight up, clockwise.
var starCorners = [][2]int{
	{0, -1024}, {253, -348}, {974, -316}, {409, 133}, {602, 828}, {0, 430}, {-602, 828}, {-409, 133}, {-974,
		-316}, {-253, -348},
}

// covers says whether a figure of radius unit around 0,0 has the point u to the right, v down.
func (f figure) covers(u, v int) bool {
	r2 := u*u + v*v
	if r2 > unit*unit {
		return false
	}
	switch f {
	case figureCircle:
		return true
	case figureSquare:
		return abs(u) <= 720 && abs(v) <= 720
	case figureTriangle: // with the corners (0, -1024), (887, 512), (-887, 512)
		return v <= 512 && abs(u)*1536 <= (v+1024)*887
	case figureStar:
		return inside(starCorners, u, v)
	case figureRing:
		return r2 >= 600*600
	case figureCross:
		return abs(u) <= 300 || abs(v) <= 300
	case figureHeart: // (x² + y² - 1)³ < x² y³ with y up, made smaller and moved to fit; in 64ths
		x, y := int64(u)*80/unit, int64(130-v)*80/unit
		a := x*x + y*y - 64*64
		return a*a*a < 64*x*x*y*y*y
	default: // moon: a circle without a smaller one at its right
		du := u - 450
		return du*du+v*v > 800*800
	}
}

// inside says whether a polygon holds a point, by the parity of the edges to its right.
func inside(corners [][2]int, x, y int) bool {
	in := false
	for i, a := range corners {
		b := corners[(i+1)%len(corners)]
		if (a[1] > y) == (b[1] > y) {
			continue
		}
		// x < a.x + (y - a.y) (b.x - a.x) / (b.y - a.y), multiplied out
		left, right := (x-a[0])*(b[1]-a[1]), (y-a[1])*(b[0]-a[0])
		if (left < right) == (b[1] > a[1]) {
			in = !in
		}
	}
	return in
}

func abs(x int) int { return max(x, -x) }

// turns is a full turn in the steps of rotation.
const turns = 96

// rotation is cosine and sine of k/96 of a turn, times 1<<14. It is computed in integers, from one constant, so that no
// machine rounds it otherwise.
func rotation(k int) (cos, sin int) {
	const stepCos, stepSin = 1071442860, 70226075 // cos and sin of a 96th of a turn, times 1<<30
	c, s := int64(1<<30), int64(0)
	for range (k%turns + turns) % turns {
		c, s = (c*stepCos-s*stepSin)>>30, (s*stepCos+c*stepSin)>>30
	}
	return int(c >> 16), int(s >> 16)
}
