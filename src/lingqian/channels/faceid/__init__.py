"""FaceID of Tencent Cloud: names, ID numbers and faces compared (腾讯云慧眼)."""
