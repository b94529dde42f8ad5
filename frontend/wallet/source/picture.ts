// Pictures chosen on this phone, cut to the envelope before anything leaves it.
import { HEIGHT, WIDTH } from "./cover";

/** How a picture lies under the envelope: 1 is just filled, and where its middle is, 0 to 1. */
export interface Lie {
  zoom: number;
  x: number;
  y: number;
}

export const ZOOM_MAX = 4;
const KINDS = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/heic", "image/heif", "image/avif"];
const QUALITY = 0.92;
const between = (low: number, value: number, high: number) => Math.min(high, Math.max(low, value));

/** Open a file as a picture; null for what this phone cannot show as one. */
export function openPicture(file: File): Promise<HTMLImageElement | null> {
  // A drawing that can carry scripts is not opened at all, whatever the phone could make of it.
  if (!KINDS.includes(file.type)) return Promise.resolve(null);
  return new Promise((done) => {
    const reader = new FileReader();
    reader.onerror = () => done(null);
    reader.onload = () => {
      const picture = new Image();
      picture.onload = () => done(picture);
      picture.onerror = () => done(null);
      picture.src = reader.result as string;
    };
    reader.readAsDataURL(file);
  });
}

/** The part of a picture that is seen, in its own pixels. */
function partOf(picture: HTMLImageElement, lie: Lie): [number, number, number, number] {
  const { naturalWidth: width, naturalHeight: height } = picture;
  const scale = Math.max(WIDTH / width, HEIGHT / height) * lie.zoom;
  const [seenWidth, seenHeight] = [WIDTH / scale, HEIGHT / scale];
  return [(width - seenWidth) * lie.x, (height - seenHeight) * lie.y, seenWidth, seenHeight];
}

/** Draw a picture as it lies; what was behind it is gone. */
export function drawPicture(canvas: HTMLCanvasElement, picture: HTMLImageElement, lie: Lie): void {
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.fillStyle = "#b8362b";
  pen.fillRect(0, 0, WIDTH, HEIGHT);
  pen.drawImage(picture, ...partOf(picture, lie), 0, 0, WIDTH, HEIGHT);
}

/** Move a picture by a part of the envelope's width and height, as far as it covers all of it. */
export function moved(picture: HTMLImageElement, lie: Lie, right: number, down: number): Lie {
  const [, , seenWidth, seenHeight] = partOf(picture, lie);
  const [roomX, roomY] = [picture.naturalWidth - seenWidth, picture.naturalHeight - seenHeight];
  return {
    zoom: lie.zoom,
    x: roomX > 1 ? between(0, lie.x - (right * seenWidth) / roomX, 1) : lie.x,
    y: roomY > 1 ? between(0, lie.y - (down * seenHeight) / roomY, 1) : lie.y,
  };
}

/** Take what is drawn as a file: pixels, and nothing of the file they came from. */
export const taken = (canvas: HTMLCanvasElement): Promise<Blob | null> =>
  new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
