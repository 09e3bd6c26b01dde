// Chinese texts of the web UI. A function formats a text with its values.

const mebibytes = (bytes) => (bytes / (1024 * 1024)).toFixed(1);

const STYLES = {
  comic: "漫画",
  poster: "海报",
  anime: "日漫",
  "3d": "3D 卡通",
  handdrawn: "手绘",
  sketch: "素描",
  artstyle: "艺术",
  "sd-design": "设计（Stable Diffusion）",
  "sd-illustration": "插画（Stable Diffusion）",
};

const styleTitle = ({ name, title }) => STYLES[name] ?? title;

const FORMATS = {
  video: "视频或音频",
  gif: " GIF 图片",
  bmp: " BMP 图片",
  tiff: " TIFF 图片或 RAW 照片",
  jpegXl: " JPEG XL 图片",
  jpeg2000: " JPEG 2000 图片",
  photoshop: " Photoshop 图片",
  icon: "图标",
  pdf: " PDF 文档",
  archive: "压缩包",
  svg: " SVG 图片",
  html: " HTML 或 XML 文档",
  text: "文本",
};

const photoName = ({ number, total, name }) => `第 ${number} 张照片，共 ${total} 张：${name}`;

export default {
  title: "人像转卡通",
  language: "语言",
  models: ({ models }) => `模型：${models}`,
  privacy: "照片只在内存中处理，绝不保存。",
  shippedNotice:
    "这些风格随服务附带，效果类似传统的图像滤镜。" +
    "如需使用公开的 DCT-Net 模型，请服务的运维人员运行“dctnet fetch --all”和“dctnet prepare --all”，然后重启服务。",

  chooseImage: "选择照片",
  inputHint: "也可以拖放到这里，或直接粘贴，一次可以选择多张。较大的照片会先缩小再上传。",
  takePhoto: "拍照",
  style: "风格",
  styleTitle,
  strength: "强度",
  strengthValue: ({ percent }) => `${percent}%`,
  size: "尺寸",
  largestSize: "最大",
  sizeOption: ({ pixels }) => `不超过 ${pixels} 像素`,
  sample: (style) => `“${styleTitle(style)}”风格的人像示例`,

  preparing: "正在准备照片……",
  sending: "正在上传照片……",
  queued: "正在排队……",
  queuePosition: ({ position }) => `排队位置：第 ${position} 位`,
  cartoonizing: "正在生成卡通……",
  progress: "进度",
  countdown: ({ seconds, attempt }) => `${seconds} 秒后进行第 ${attempt} 次尝试`,
  photos: "照片",
  photoName,
  "photo-waiting": "等待中",
  "photo-in-progress": "处理中",
  "photo-done": "已完成",
  "photo-failed": "失败",
  stop: "停止",
  stopped: "已停止。",
  retry: "重试",

  apiKey: "API 密钥",
  apiKeyPattern: "API 密钥只能包含 ASCII 字母、数字和符号。",
  apiKeyHint: "密钥只保留在内存中，直到您离开此页面。",
  submitApiKey: "生成卡通",

  result: "您的卡通",
  done: ({ seconds, faces, ...photo }) =>
    (photo.total > 1 ? `${photoName(photo)}。` : "") +
    `用时 ${seconds} 秒，${faces === 0 ? "没有找到人脸" : `找到 ${faces} 张人脸`}。`,
  faceSize: ({ width, height, side }) =>
    `这张照片为 ${width} × ${height} 像素，人脸的高度必须超过 ${side} 像素。`,
  original: "您的照片",
  originalShort: "原图",
  cartoon: "照片转换后的卡通",
  cartoonShort: "卡通",
  slider: "原图的可见部分",
  sliderValue: ({ percent }) => `原图占 ${percent}%`,
  download: "下载卡通",

  // Keys end with the slug of the problem type.
  "problem-bad-request": "服务拒绝了此页面的请求。请刷新页面后重试。",
  "problem-missing-image": "这个文件是空的。请选择另一个。",
  "problem-unauthorized": "此服务需要 API 密钥。",
  "problem-unauthorized-again": "此 API 密钥无效。",
  "problem-not-found": "此地址上找不到该服务。请刷新页面后重试。",
  "problem-method-not-allowed": "服务已更改。请刷新页面后重试。",
  "problem-read-timeout": "上传速度太慢。请在网络较好时重试。",
  "problem-too-many-bytes": ({ maxBytes }) => `文件太大：上限为 ${mebibytes(maxBytes)} MiB。`,
  "problem-too-many-pixels": "照片的像素太多。请缩小后重试。",
  "problem-unsupported-format": ({ format }) => {
    if (format === "heic") {
      return "这是 HEIC 图片。请在 iPhone 的“设置”中依次选择“相机”“格式”“兼容性最佳”，或将照片导出为 JPEG。";
    }
    const file = format ? `这是${FORMATS[format]}，不受支持` : "不支持此文件格式";
    return `${file}。请选择 JPEG、PNG、WebP 或 AVIF 文件。`;
  },
  "problem-damaged-image": "照片已损坏。请选择另一张。",
  "problem-unknown-style": "服务现在提供的是另一种风格。请选择后重试。",
  "problem-bad-parameter": "服务拒绝了此页面的参数。请刷新页面后重试。",
  "problem-overloaded": "排队的人较多。照片会自动重新发送，请不要关闭此页面。",
  "problem-client-disconnected": "卡通完成之前连接已中断。请重试。",
  "problem-internal-error": ({ id }) => `服务出错。运维人员可在日志中凭编号 ${id} 查到原因。`,
  "problem-starting": "服务正在启动。照片会自动重新发送。",
  "problem-out-of-memory": "服务的内存不足以处理此照片。请稍后重试。",
  "problem-draining": "服务正在重启。照片会自动重新发送。",
  "problem-deadline-exceeded": "卡通未能及时完成。请重试。",
  // Problems without a problem document.
  "problem-dragged-image": "此页面无法读取其他网站的图片。请先保存图片，再将文件拖放到这里。",
  "problem-unavailable": "服务暂时不可用。照片会自动重新发送。",
  "problem-unreachable": "无法连接到服务。请检查网络后重试。",
  "problem-unknown": ({ status, detail }) => `服务返回了状态 ${status}。${detail}`,
};
