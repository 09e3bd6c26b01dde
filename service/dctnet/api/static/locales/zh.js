// What the page says in Chinese. A function makes a text of its values.

const mebibytes = (bytes) => (bytes / (1024 * 1024)).toFixed(1);

const STYLES = {
  demoNotice: "演示",
  anime: "日漫",
  "3d": "3D 卡通",
  handdrawn: "手绘",
  sketch: "素描",
  artstyle: "艺术",
  "sd-design": "设计（Stable Diffusion）",
  "sd-illustration": "插画（Stable Diffusion）",
};

const styleTitle = ({ name, title }) => STYLES[name] ?? title;

export default {
  title: "人像转卡通",
  language: "语言",
  model: ({ model }) => `模型：${model}`,
  privacy: "图片只在内存中处理，不会保存到任何地方。",
  demoNotice: ({ style }) =>
    "这是服务自带的演示模型，效果类似传统的卡通滤镜。" +
    `如需公开的 DCT-Net 模型，请服务的维护者运行“dctnet fetch ${style}”，然后重新启动服务。`,

  chooseImage: "选择图片",
  inputHint: "也可以拖放到这里，或直接粘贴。大图会先缩小再发送。",
  takePhoto: "拍照",
  style: "风格",
  styleTitle,
  sample: (style) => `“${styleTitle(style)}”风格的人像`,

  preparing: "正在准备图片……",
  sending: "正在发送图片……",
  queued: "正在排队……",
  queuePosition: ({ position }) => `排在第 ${position} 位`,
  cartoonizing: "正在绘制卡通……",
  progress: "进度",
  countdown: ({ seconds, attempt }) => `${seconds} 秒后进行第 ${attempt} 次尝试`,
  stop: "停止",
  stopped: "已停止。",
  retry: "重试",

  apiKey: "API 密钥",
  apiKeyPattern: "密钥只含 ASCII 字母、数字和符号。",
  apiKeyHint: "密钥保留到您离开此页面为止。",
  submitApiKey: "绘制图片",

  result: "您的卡通",
  done: ({ seconds, faces }) =>
    `用时 ${seconds} 秒，${faces === 0 ? "没有找到人脸" : `找到 ${faces} 张人脸`}。`,
  original: "您选择的图片",
  originalShort: "原图",
  cartoon: "转换后的卡通",
  cartoonShort: "卡通",
  slider: "显示多少原图",
  sliderValue: ({ percent }) => `原图占 ${percent}%`,
  download: "下载卡通",

  // Named after the type of the problem document.
  "problem-bad-request": "服务无法理解此页面的请求。请刷新页面后重试。",
  "problem-missing-image": "这个文件是空的。请选择另一个。",
  "problem-unauthorized": "此服务需要 API 密钥。",
  "problem-unauthorized-again": "此 API 密钥无效。",
  "problem-not-found": "此地址没有该服务。请刷新页面后重试。",
  "problem-method-not-allowed": "服务已更改。请刷新页面后重试。",
  "problem-read-timeout": "图片发送得太慢。请在网络较好时重试。",
  "problem-too-many-bytes": ({ maxBytes }) => `文件太大：最多 ${mebibytes(maxBytes)} MiB。`,
  "problem-too-many-pixels": "图片的像素太多。请缩小后重试。",
  "problem-unsupported-format": "无法读取此文件的格式。请选择 JPEG、PNG、WebP 或 AVIF 图片。",
  "problem-damaged-image": "图片已损坏。请选择另一张。",
  "problem-unknown-style": "服务现在提供的是另一种风格。请选择后重试。",
  "problem-bad-parameter": "服务无法按此要求绘制。请刷新页面后重试。",
  "problem-overloaded": "排队的人较多。图片会自动重新发送，请不要关闭此页面。",
  "problem-client-disconnected": "卡通完成之前连接已中断。请重试。",
  "problem-internal-error": ({ id }) => `服务出错。维护者可凭编号 ${id} 查到原因。`,
  "problem-starting": "服务正在启动。图片会自动重新发送。",
  "problem-out-of-memory": "服务暂时没有足够的内存处理此图片。请稍后重试。",
  "problem-draining": "服务正在重新启动。图片会自动重新发送。",
  "problem-deadline-exceeded": "卡通未能及时完成。请重试。",
  // Those of no such document.
  "problem-unavailable": "服务暂时无法使用。图片会自动重新发送。",
  "problem-unreachable": "无法连接到服务。请检查网络后重试。",
  "problem-unknown": ({ status, detail }) => `服务返回了状态 ${status}。${detail}`,
};
