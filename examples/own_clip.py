"""Token reduction on your own CLIP of `transformers`, in ten lines: python examples/own_clip.py"""

import torch
import transformers

import centerclip as cc

# A small random CLIP with the geometry of ViT-B/32, so that this runs offline. For real use:
# clip = transformers.CLIPModel.from_pretrained("openai/clip-vit-base-patch32").eval()
vision = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "projection_dim": 32}
text = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_hidden_layers": 2}
clip = transformers.CLIPModel(transformers.CLIPConfig(vision_config=vision, text_config=text)).eval()

model = cc.CenterCLIP(clip, schedule="B6-4,49")  # after block 6: 4 segments of 49 tokens
frames = torch.randint(0, 256, (2, 12, 3, 224, 224), dtype=torch.uint8)  # 2 videos of 12 frames
with torch.inference_mode():
    reduced = model.encode_video(model.preprocess(frames))  # [2, E], unit length
    plain_model = model.with_(schedule="none")  # shares the weights
    plain = plain_model.encode_video(model.preprocess(frames))

print(f"embeddings {tuple(reduced.shape)}; cosine to the plain model's:", (reduced * plain).sum(1).tolist())
