// Chooses how to draw the map: WebGL where it works, a plain canvas where it does not.

function hasWebGl() {
  try {
    const context = document.createElement("canvas").getContext("webgl2");
    context?.getExtension("WEBGL_lose_context")?.loseContext();
    return Boolean(context);
  } catch {
    return false;
  }
}

/** Opens the map in `container`; `isDegraded` on the result says that it is the canvas. */
export async function openMap(container, parts) {
  if (!parts.wantsCanvas && hasWebGl()) {
    try {
      const { MapGl } = await import("./map-gl.js");
      return await MapGl.open(container, parts);
    } catch (error) {
      console.warn("map: WebGL failed, drawing on a canvas", error);
      container.replaceChildren();
    }
  }
  const { CanvasMap } = await import("./map-canvas.js");
  return CanvasMap.open(container, parts);
}
